"""A residual network learns the ten classes of CIFAR-10.

    python examples/resnet_cifar.py --epochs 5            # ResNet-20; CIFAR-10 from $MINIGRAD_DATA or downloaded
    python examples/resnet_cifar.py --model resnet56

Writes into runs/resnet20/: the backprop graph with one box a block (graph.svg, graph.png); loss.png, filters.png,
maps.png, saliency.png, receptive_field.png, confusion.png; activations.png, gradients.png, ratios.png, which show the
layers while they learn; and checkpoint.safetensors, from which --resume goes on.
"""

from pathlib import Path

from training import Run, arguments, draw_graph, run_main

import minigrad
from minigrad import optim
from minigrad.utils.data import DataLoader
from minigrad.vision import datasets, models, transforms

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the training images, per channel


def main():
    parser = arguments(__doc__.splitlines()[0], data=["cifar10"], epochs=30, lr=0.1, batch_size=128)
    parser.add_argument(
        "--model", choices=[f"resnet{n}" for n in (20, 32, 44, 56, 110)], default="resnet20", help="network"
    )
    args = parser.parse_args()
    folder = args.out or Path("runs") / args.model
    folder.mkdir(parents=True, exist_ok=True)

    minigrad.manual_seed(args.seed)
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    augmented = transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *plain])
    train = datasets.CIFAR10(train=True, download=True, transform=augmented)
    test = datasets.CIFAR10(train=False, download=True, transform=transforms.Compose(plain))
    train_loader = DataLoader(train, args.batch_size, shuffle=True, drop_last=True)
    test_loader = DataLoader(test, 500)

    model = getattr(models, args.model)()
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = optim.lr_scheduler.MultiStepLR(
        optimizer, [round(args.epochs * 0.5), round(args.epochs * 0.8)], gamma=0.1
    )
    run = Run(model, optimizer, schedule, train_loader, folder)
    if args.resume:
        run.resume()
    print(
        f"{args.model}, {sum(p.numel() for p in model.parameters()):,} parameters, on {len(train):,} images of CIFAR-10"
    )

    images, labels = next(iter(test_loader))
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    draw_graph(model, images[:8], labels[:8], folder, depth=2)
    model.load_state_dict(state)  # the drawn batch moved the running statistics
    run.train(test_loader, args.epochs)

    run.report(test_loader, test.classes, first="conv1", deep="stage2")


if __name__ == "__main__":
    run_main(main)

"""LeNet-5 learns to read handwritten digits.

    python examples/lenet.py                              # 1,797 scanned digits that come with scikit-learn
    python examples/lenet.py --data mnist --epochs 5      # MNIST, from $MINIGRAD_DATA or downloaded

Writes into runs/lenet/: the backprop graph (graph.svg, graph.png); loss.png, filters.png, maps.png, saliency.png,
receptive_field.png, confusion.png; activations.png, gradients.png, ratios.png, which show the layers while they learn;
and checkpoint.safetensors, from which --resume goes on.
"""

from pathlib import Path

from training import Run, arguments, draw_graph, run_main

import minigrad
from minigrad import optim
from minigrad.utils.data import DataLoader
from minigrad.vision import datasets, transforms
from minigrad.vision.models import LeNet5


def load(name):
    """(training set, test set) of 32x32 images with values around 0."""
    if name == "digits":
        plain = [transforms.ToTensor(), transforms.Resize(32), transforms.Normalize((0.3,), (0.35,))]
        shifted = [*plain, transforms.RandomCrop(32, padding=2, padding_mode="edge")]  # few images: show them moved
        return [
            datasets.Digits(train=train, transform=transforms.Compose(steps))
            for train, steps in ((True, shifted), (False, plain))
        ]
    kind = {"mnist": datasets.MNIST, "fashion": datasets.FashionMNIST}[name]
    plain = [transforms.ToTensor(), transforms.Pad(2), transforms.Normalize((0.1,), (0.28,))]
    return [kind(train=train, download=True, transform=transforms.Compose(plain)) for train in (True, False)]


EPOCHS = {"digits": 20, "mnist": 5, "fashion": 10}


def main():
    args = arguments(__doc__.splitlines()[0], data=list(EPOCHS), epochs=None, lr=0.05, batch_size=None).parse_args()
    epochs = EPOCHS[args.data] if args.epochs is None else args.epochs
    batch_size = (32 if args.data == "digits" else 64) if args.batch_size is None else args.batch_size
    folder = args.out or Path("runs/lenet")
    folder.mkdir(parents=True, exist_ok=True)

    minigrad.manual_seed(args.seed)
    train, test = load(args.data)
    train_loader = DataLoader(train, batch_size, shuffle=True)
    test_loader = DataLoader(test, 500)

    model = LeNet5()
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = optim.lr_scheduler.MultiStepLR(optimizer, [round(epochs * 0.6), round(epochs * 0.85)], gamma=0.2)
    run = Run(model, optimizer, schedule, train_loader, folder)
    if args.resume:
        run.resume()
    print(
        f"LeNet-5, {sum(p.numel() for p in model.parameters()):,} parameters, on {len(train):,} images of {args.data}"
    )

    images, labels = next(iter(test_loader))
    draw_graph(model, images[:8], labels[:8], folder)
    run.train(test_loader, epochs)

    run.report(test_loader, test.classes, first="c1", deep="c3")


if __name__ == "__main__":
    run_main(main)

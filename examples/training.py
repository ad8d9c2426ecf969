"""What the examples share: the command line, the training loop with its checkpoint, and the pictures."""

import argparse
from pathlib import Path

import numpy as np

import minigrad
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.viz import plots

EVERY = 20  # steps from one record of activations and gradients to the next


def arguments(description, *, data, epochs, lr, batch_size):
    """The command line of an example, with its defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        "--data",
        choices=data,
        default=data[0],
        help="data set; MNIST and CIFAR-10 are read from $MINIGRAD_DATA or downloaded",
    )
    parser.add_argument(
        "--epochs", type=int, default=epochs, help="passes over the training images (None: by data set)"
    )
    parser.add_argument("--lr", type=float, default=lr, help="learning rate at the start")
    parser.add_argument("--batch-size", type=int, default=batch_size, help="images a step (None: by data set)")
    parser.add_argument("--seed", type=int, default=0, help="start of all random numbers")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    parser.add_argument("--out", type=Path, default=None, help="output folder (default: runs/NAME)")
    return parser


def run_main(main):
    """Run an example; what the user can mend (missing data, a damaged file) ends in one line, not in a traceback."""
    try:
        main()
    except (minigrad.vision.datasets.DatasetError, minigrad.CheckpointError, ImportError) as error:
        raise SystemExit(f"error: {error}") from error


class Run:
    """A training run: model, optimizer, schedule, loader, what was recorded, and the checkpoint that holds it all."""

    PARTS = "model", "optimizer", "schedule", "loader", "history", "recorder"

    def __init__(self, model, optimizer, schedule, loader, folder):
        self.model, self.optimizer, self.schedule, self.loader = model, optimizer, schedule, loader
        self.history = minigrad.History()
        self.recorder = plots.Recorder(model, every=EVERY)
        self.path = folder / "checkpoint.safetensors"

    def save(self):
        """Write the checkpoint, whole or not at all."""
        states = {part: getattr(self, part).state_dict() for part in self.PARTS}
        minigrad.save({**states, "random": minigrad.get_rng_state()}, self.path)

    def resume(self):
        """Go back to where the checkpoint was written, which may be in the middle of an epoch."""
        state = minigrad.load(self.path)
        for part in self.PARTS:
            getattr(self, part).load_state_dict(state[part])
        minigrad.set_rng_state(state["random"])

    def train(self, test_loader, epochs):
        """Train up to `epochs`; after each, test and write the checkpoint. Ctrl-C writes it too, then ends the run."""
        try:
            while self.history.epoch < epochs:
                self._one_epoch(f"epoch {self.history.epoch + 1}/{epochs}")
                self.schedule.step()
                self.history.add_epoch(test_accuracy=accuracy(self.model, test_loader))
                found = self.history["test_accuracy"][-1]
                print(f"epoch {self.history.epoch}: test accuracy {found:.2%}", flush=True)
                self.save()
        except KeyboardInterrupt:
            self.save()
            print(f"\ninterrupted in step {self.history.step + 1}; {self.path} holds the state, go on with --resume")
            raise SystemExit(130) from None

    def report(self, test_loader, classes, first, deep):
        """Draw the run and what the network has learned; the last line is the test accuracy.

        `first` and `deep` are names of layers: the first convolution, and one whose cells see much of the image.
        """
        predicted, true = predictions(self.model, test_loader)
        folder, (images, _) = self.path.parent, next(iter(test_loader))
        pictures = {
            "loss": self.history.plot(),
            "filters": plots.plot_filters(self.model.get_submodule(first).weight),
            "maps": plots.plot_feature_maps(self.model, images[0], first),
            "receptive_field": plots.plot_receptive_field(self.model, images[:50], deep),
            "saliency": plots.plot_saliency(self.model, images[0], classes=classes),
            "confusion": plots.plot_confusion(true, predicted, classes),
            **{kind: self.recorder.plot(kind) for kind in ("activations", "gradients", "ratios")},
        }
        for name, figure in pictures.items():
            figure.savefig(folder / f"{name}.png")
        print(f"pictures and checkpoint are in {folder}/; look at {folder / 'graph.svg'}")
        print(f"test accuracy {(predicted == true).mean():.2%}")

    def _one_epoch(self, description):
        self.model.train()
        for images, labels in self.history.track(self.loader, description):
            self.optimizer.zero_grad()
            scores = self.model(images)
            loss = F.cross_entropy(scores, labels)
            loss.backward()
            self.recorder.step()
            self.optimizer.step()
            self.history.add(loss=loss, accuracy=(scores.argmax(1) == labels).float().mean())


@minigrad.no_grad()
def predictions(model, loader):
    """(predicted classes, true classes) of a whole loader, two arrays."""
    model.eval()
    pairs = [(model(images).argmax(1).numpy(), labels.numpy()) for images, labels in loader]
    return tuple(np.concatenate(side) for side in zip(*pairs))


def accuracy(model, loader):
    """The share of a loader's images whose class the model finds."""
    predicted, true = predictions(model, loader)
    return float((predicted == true).mean())


def draw_graph(model, images, labels, folder, depth=None):
    """The backprop graph of one batch, as .svg and .png."""
    loss = nn.CrossEntropyLoss()(model.train()(images), labels)
    picture = minigrad.viz.graph(loss, params=model, depth=depth)
    picture.render(folder / "graph.svg")
    picture.render(folder / "graph.png")

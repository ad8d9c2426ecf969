"""LeNet-5, the network that learned to read cheques."""

from minigrad import nn


class LeNet5(nn.Module):
    """LeNet-5 for (N, 1, 32, 32) images, 61,706 parameters, result (N, num_classes) scores.

    The layers bear the names of LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document
    recognition", section II.B (http://yann.lecun.com/exdb/publis/pdf/lecun-01a.pdf). Three things are as they are
    usually taught, not as they were then: C3 sees all six maps of S2, S2 and S4 have no parameters, and the output
    layer is linear, trained with cross entropy.

    >>> import minigrad
    >>> sum(p.numel() for p in LeNet5().parameters())
    61706
    """

    def __init__(self, num_classes=10):
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)  # (N, 1, 32, 32) -> (N, 6, 28, 28)
        self.s2 = nn.AvgPool2d(2)  # -> (N, 6, 14, 14)
        self.c3 = nn.Conv2d(6, 16, 5)  # -> (N, 16, 10, 10)
        self.s4 = nn.AvgPool2d(2)  # -> (N, 16, 5, 5)
        self.c5 = nn.Conv2d(16, 120, 5)  # -> (N, 120, 1, 1)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)

    def forward(self, x):
        x = self.s2(self.c1(x).tanh())
        x = self.s4(self.c3(x).tanh())
        x = self.c5(x).tanh().flatten(1)
        return self.output(self.f6(x).tanh())

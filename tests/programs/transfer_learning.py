"""Trains on five digits, then freezes the features, replaces the head and learns the other five."""

import copy

import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_digits
from torch.optim import lr_scheduler

torch.manual_seed(6)
digits = load_digits()
images = torch.from_numpy(digits.images).float()[:, None] / 16
labels = torch.from_numpy(digits.target)
low, high = labels < 5, labels >= 5


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((2, 2)),
        )  # fmt: skip
        self.fc = nn.Linear(96, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.features(x), start_dim=1))


def train_model(model, x, y, criterion, optimizer, scheduler, num_epochs):
    best, best_acc, losses = copy.deepcopy(model.state_dict()), 0.0, []
    split = int(0.8 * len(x))
    for _ in range(num_epochs):
        for phase in ["train", "val"]:
            model.train(phase == "train")
            part = slice(0, split) if phase == "train" else slice(split, None)
            running_loss, running_corrects = 0.0, 0
            for inputs, targets in zip(x[part].split(64), y[part].split(64)):
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(inputs)
                    _, preds = torch.max(outputs, 1)
                    loss = criterion(outputs, targets)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                running_loss += loss.item() * inputs.size(0)
                running_corrects += torch.sum(preds == targets.data)
            if phase == "train":
                scheduler.step()
                losses.append(running_loss / split)
            epoch_acc = running_corrects.double() / len(x[part])
            if phase == "val" and epoch_acc > best_acc:
                best_acc, best = epoch_acc, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, float(best_acc), losses


model = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
model, first_acc, losses = train_model(
    model, images[low], labels[low], criterion, optimizer, lr_scheduler.StepLR(optimizer, 7, 0.1), 4
)
frozen = {name: p.clone() for name, p in model.features.named_parameters()}
for param in model.parameters():
    param.requires_grad = False
num_ftrs = model.fc.in_features
model.fc = nn.Linear(num_ftrs, 5)
optimizer = optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.05, momentum=0.9)
model, second_acc, losses = train_model(
    model, images[high], labels[high] - 5, criterion, optimizer, lr_scheduler.StepLR(optimizer, 7, 0.1), 6
)
assert all(torch.equal(p, frozen[name]) and p.grad is None for name, p in model.features.named_parameters())
print("first task", first_acc)
print("OUTCOME", {"first": losses[0], "last": losses[-1], "accuracy": second_acc})

"""Saves a checkpoint in the middle of training, goes on from it elsewhere, and ends in the same place."""

import os
import tempfile

import torch
import torch.nn as nn
import torch.optim as optim

PATH = os.path.join(tempfile.mkdtemp(), "model.pt")


class TheModelClass(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.bn = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6 * 6 * 6, 4)

    def forward(self, x):
        x = self.pool(torch.relu(self.bn(self.conv1(x))))
        return self.fc(x.view(-1, 6 * 6 * 6))


def steps(model, optimizer, scheduler, n):
    for _ in range(n):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
    return loss


torch.manual_seed(2)
images, labels = torch.randn(32, 3, 16, 16), torch.randint(0, 4, (32,))
model = TheModelClass()
optimizer = optim.Adam(model.parameters(), lr=0.003)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
first = steps(model, optimizer, scheduler, 1).item()
loss = steps(model, optimizer, scheduler, 9)
for param_tensor in model.state_dict():
    print(param_tensor, "\t", tuple(model.state_dict()[param_tensor].size()))
torch.save(
    {
        "epoch": 10,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "loss": loss,
        "best": {"accuracy": 0.5, "classes": ("a", "b")},
    },
    PATH,
)
ended = steps(model, optimizer, scheduler, 10).item()

model2 = TheModelClass()
optimizer2 = optim.Adam(model2.parameters(), lr=1.0)
scheduler2 = optim.lr_scheduler.CosineAnnealingLR(optimizer2, 20)
checkpoint = torch.load(PATH, map_location=lambda storage, loc: storage)
model2.load_state_dict(checkpoint["model_state_dict"])
optimizer2.load_state_dict(checkpoint["optimizer_state_dict"])
scheduler2.load_state_dict(checkpoint["scheduler"])
assert checkpoint["epoch"] == 10 and checkpoint["best"]["classes"] == ("a", "b")
assert abs(checkpoint["loss"].item() - loss.item()) < 1e-6
again = steps(model2, optimizer2, scheduler2, 10).item()
assert again == ended, (again, ended)

torch.save(model.state_dict(), PATH)
weights = torch.load(PATH, map_location="cpu", weights_only=True)
partial = {k: v for k, v in weights.items() if not k.startswith("fc")}
report = TheModelClass().load_state_dict(partial, strict=False)
assert sorted(report.missing_keys) == ["fc.bias", "fc.weight"]
with open(PATH, "wb") as f:
    torch.save({"tensor": torch.arange(5), "list": [1, 2.5, None, "x"]}, f)
with open(PATH, "rb") as f:
    loaded = torch.load(f)
assert torch.equal(loaded["tensor"], torch.arange(5)) and loaded["list"] == [1, 2.5, None, "x"]
print("OUTCOME", {"first": first, "last": ended})

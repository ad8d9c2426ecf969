"""A Siamese network: two passes through shared weights, a contrastive loss, a data set of pairs."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset

random.seed(0)
torch.manual_seed(0)
digits = load_digits()


class SiameseDataset(Dataset):
    def __init__(self, first, last, transform=None):
        self.images = digits.images[first:last].astype("float32") / 16
        self.labels = digits.target[first:last]
        self.transform = transform
        self.by_label = {c: [i for i, t in enumerate(self.labels) if t == c] for c in range(10)}

    def __getitem__(self, index):
        label = int(self.labels[index])
        if random.randint(0, 1):
            other = random.choice(self.by_label[label])
        else:
            other = random.choice(self.by_label[random.choice([c for c in range(10) if c != label])])
        pair = self.images[index][None], self.images[other][None]
        if self.transform is not None:
            pair = tuple(self.transform(image) for image in pair)
        return *pair, torch.tensor([float(label != int(self.labels[other]))])

    def __len__(self):
        return len(self.images)


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn1 = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(1, 8, kernel_size=3), nn.ReLU(inplace=True), nn.BatchNorm2d(8),
            nn.ReflectionPad2d(1), nn.Conv2d(8, 8, kernel_size=3), nn.ReLU(inplace=True), nn.BatchNorm2d(8),
        )  # fmt: skip
        self.fc1 = nn.Sequential(nn.Linear(8 * 8 * 8, 64), nn.ReLU(inplace=True), nn.Linear(64, 5))

    def forward_once(self, x):
        output = self.cnn1(x)
        output = output.view(output.size()[0], -1)
        return self.fc1(output)

    def forward(self, input1, input2):
        return self.forward_once(input1), self.forward_once(input2)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = F.pairwise_distance(output1, output2, keepdim=True)
        return torch.mean(
            (1 - label) * torch.pow(distance, 2) + label * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2)
        )


net, criterion = SiameseNetwork(), ContrastiveLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
loader = DataLoader(SiameseDataset(0, 1400), shuffle=True, num_workers=0, batch_size=64)
counter, history = [], []
for _ in range(3):
    for img0, img1, label in loader:
        optimizer.zero_grad()
        output1, output2 = net(img0, img1)
        loss = criterion(output1, output2, label)
        loss.backward()
        optimizer.step()
        history.append(loss.item())
net.eval()
right = total = 0
with torch.no_grad():
    for img0, img1, label in DataLoader(SiameseDataset(1400, 1797), batch_size=64):
        apart = F.pairwise_distance(*net(img0, img1), keepdim=True)
        right += ((apart > 1).float() == label).sum().item()
        total += label.numel()
print("OUTCOME", {"first": history[0], "last": sum(history[-20:]) / 20, "accuracy": right / total})

"""A bidirectional LSTM reads the rows of an image."""

import torch
import torch.nn as nn
from sklearn.datasets import load_digits

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
sequence_length, input_size, hidden_size, num_layers, num_classes = 8, 8, 32, 2, 10


class BiRNN(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers, num_classes):
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(hidden_size * 2, num_classes)

    def forward(self, x):
        h0 = torch.zeros(self.num_layers * 2, x.size(0), self.hidden_size).to(device)
        c0 = torch.zeros(self.num_layers * 2, x.size(0), self.hidden_size).to(device)
        out, _ = self.lstm(x, (h0, c0))
        return self.fc(out[:, -1, :])


torch.manual_seed(4)
digits = load_digits()
images, labels = torch.Tensor(digits.images / 16), torch.LongTensor(digits.target)
train = torch.utils.data.TensorDataset(images[:1400], labels[:1400])
train_loader = torch.utils.data.DataLoader(dataset=train, batch_size=100, shuffle=True)
model = BiRNN(input_size, hidden_size, num_layers, num_classes).to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
history = []
for epoch in range(6):
    for x, y in train_loader:
        x = x.reshape(-1, sequence_length, input_size).to(device)
        loss = criterion(model(x), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
with torch.no_grad():
    outputs = model(images[1400:])
    _, predicted = torch.max(outputs.data, 1)
    correct = (predicted == labels[1400:]).sum().item()
print("OUTCOME", {"first": history[0], "last": sum(history[-10:]) / 10, "accuracy": correct / 397})

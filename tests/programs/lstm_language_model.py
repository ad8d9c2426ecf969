"""A word-free language model: an LSTM reads letters, its state is carried over and cut from the graph, gradients clipped."""

import math

import torch
import torch.nn as nn
from torch.nn.utils import clip_grad_norm_

text = (
    "the quick brown fox jumps over the lazy dog. pack my box with five dozen liquor jugs. "
    "how vexingly quick daft zebras jump. the five boxing wizards jump quickly. "
) * 12


class Dictionary:
    def __init__(self):
        self.word2idx, self.idx2word = {}, []

    def add_word(self, word):
        if word not in self.word2idx:
            self.word2idx[word] = len(self.idx2word)
            self.idx2word.append(word)
        return self.word2idx[word]


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp, nhid, nlayers, dropout=0.1):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        self.nhid, self.nlayers, self.ntoken = nhid, nlayers, ntoken
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output)).view(-1, self.ntoken)
        return decoded, hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid))


def repackage_hidden(h):
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous()


torch.manual_seed(1111)
dictionary = Dictionary()
ids = torch.LongTensor(len(text))
for position, letter in enumerate(text):
    ids[position] = dictionary.add_word(letter)
train_data = batchify(ids, 8)
bptt, ntokens = 24, len(dictionary.idx2word)
model = RNNModel(ntokens, 24, 64, 2)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
perplexities = []
for epoch in range(6):
    model.train()
    total, hidden = 0.0, model.init_hidden(8)
    for i in range(0, train_data.size(0) - 1, bptt):
        seq_len = min(bptt, len(train_data) - 1 - i)
        data, targets = train_data[i : i + seq_len], train_data[i + 1 : i + 1 + seq_len].view(-1)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        total += seq_len * loss.item()
    perplexities.append(math.exp(total / (len(train_data) - 1)))
    print(f"epoch {epoch} perplexity {perplexities[-1]:.2f}")
model.eval()
with torch.no_grad():
    hidden, input = model.init_hidden(1), torch.randint(ntokens, (1, 1), dtype=torch.long)
    for _ in range(20):
        output, hidden = model(input, hidden)
        weights = output.squeeze().div(0.8).exp().cpu()
        input.fill_(torch.multinomial(weights, 1)[0])
print("OUTCOME", {"first": perplexities[0], "last": perplexities[-1]})

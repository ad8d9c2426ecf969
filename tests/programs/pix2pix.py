"""Image to image: a U-Net with skip connections against a PatchGAN, filling in the right half of digits."""

import functools

import torch
import torch.nn as nn
from sklearn.datasets import load_digits


class UnetSkipConnectionBlock(nn.Module):
    def __init__(self, outer_nc, inner_nc, input_nc=None, submodule=None, outermost=False, innermost=False,
                 norm_layer=nn.BatchNorm2d, use_dropout=False):  # fmt: skip
        super().__init__()
        self.outermost = outermost
        if type(norm_layer) == functools.partial:
            use_bias = norm_layer.func == nn.InstanceNorm2d
        else:
            use_bias = norm_layer == nn.InstanceNorm2d
        if input_nc is None:
            input_nc = outer_nc
        downconv = nn.Conv2d(input_nc, inner_nc, kernel_size=4, stride=2, padding=1, bias=use_bias)
        downrelu, downnorm = nn.LeakyReLU(0.2, True), norm_layer(inner_nc)
        uprelu, upnorm = nn.ReLU(True), norm_layer(outer_nc)
        if outermost:
            upconv = nn.ConvTranspose2d(inner_nc * 2, outer_nc, kernel_size=4, stride=2, padding=1)
            model = [downconv, submodule, uprelu, upconv, nn.Tanh()]
        elif innermost:
            upconv = nn.ConvTranspose2d(inner_nc, outer_nc, kernel_size=4, stride=2, padding=1, bias=use_bias)
            model = [downrelu, downconv, uprelu, upconv, upnorm]
        else:
            upconv = nn.ConvTranspose2d(inner_nc * 2, outer_nc, kernel_size=4, stride=2, padding=1, bias=use_bias)
            model = [downrelu, downconv, downnorm, submodule, uprelu, upconv, upnorm]
            model += [nn.Dropout(0.5)] if use_dropout else []
        self.model = nn.Sequential(*model)

    def forward(self, x):
        if self.outermost:
            return self.model(x)
        return torch.cat([x, self.model(x)], 1)


class UnetGenerator(nn.Module):
    def __init__(self, ngf=16, norm_layer=nn.BatchNorm2d):
        super().__init__()
        block = UnetSkipConnectionBlock(ngf * 2, ngf * 2, norm_layer=norm_layer, innermost=True)
        block = UnetSkipConnectionBlock(ngf, ngf * 2, submodule=block, norm_layer=norm_layer, use_dropout=True)
        self.model = UnetSkipConnectionBlock(1, ngf, input_nc=1, submodule=block, outermost=True, norm_layer=norm_layer)

    def forward(self, input):
        return self.model(input)


class PatchDiscriminator(nn.Module):
    def __init__(self, input_nc, ndf=16):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(input_nc, ndf, 4, 2, 1), nn.LeakyReLU(0.2, True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 2), nn.LeakyReLU(0.2, True),
            nn.Conv2d(ndf * 2, 1, 3, 1, 1),
        )  # fmt: skip

    def forward(self, input):
        return self.model(input)


class GANLoss(nn.Module):
    def __init__(self, target_real_label=1.0, target_fake_label=0.0):
        super().__init__()
        self.register_buffer("real_label", torch.tensor(target_real_label))
        self.register_buffer("fake_label", torch.tensor(target_fake_label))
        self.loss = nn.BCEWithLogitsLoss()

    def __call__(self, prediction, target_is_real):
        target = self.real_label if target_is_real else self.fake_label
        return self.loss(prediction, target.expand_as(prediction))


def set_requires_grad(net, requires_grad):
    for param in net.parameters():
        param.requires_grad = requires_grad


torch.manual_seed(8)
target = nn.functional.interpolate(torch.tensor(load_digits().images).float()[:640, None] / 8 - 1, scale_factor=2)
source = target.clone()
source[..., 8:] = -1
netG, netD = UnetGenerator(norm_layer=functools.partial(nn.BatchNorm2d, affine=True)), PatchDiscriminator(2)
criterionGAN, criterionL1 = GANLoss(), nn.L1Loss()
optimizer_G = torch.optim.Adam(netG.parameters(), lr=0.002, betas=(0.5, 0.999))
optimizer_D = torch.optim.Adam(netD.parameters(), lr=0.0005, betas=(0.5, 0.999))
history = []
for epoch in range(4):
    for real_A, real_B in zip(source.chunk(20), target.chunk(20)):
        fake_B = netG(real_A)
        set_requires_grad(netD, True)
        optimizer_D.zero_grad()
        pred_fake = netD(torch.cat((real_A, fake_B), 1).detach())
        loss_D_fake = criterionGAN(pred_fake, False)
        pred_real = netD(torch.cat((real_A, real_B), 1))
        loss_D_real = criterionGAN(pred_real, True)
        loss_D = (loss_D_fake + loss_D_real) * 0.5
        loss_D.backward()
        optimizer_D.step()
        set_requires_grad(netD, False)
        optimizer_G.zero_grad()
        pred_fake = netD(torch.cat((real_A, fake_B), 1))
        loss_G_L1 = criterionL1(fake_B, real_B) * 100.0
        loss_G = criterionGAN(pred_fake, True) + loss_G_L1
        loss_G.backward()
        optimizer_G.step()
        history.append(loss_G_L1.item())
print("OUTCOME", {"first": history[0], "last": sum(history[-20:]) / 20})

package dac

// Models lists the add-ons, by maker. Of those that share a driver, the one that
// is found by the driver alone comes first.
func Models() []Model {
	return append(append(append(hifiberry(), pi()...), others()...), generic()...)
}

func hifiberry() []Model {
	const maker = "HiFiBerry"
	return []Model{
		{Name: "hifiberry-dac", Title: "HiFiBerry DAC, MiniAmp and other boards with a PCM5102A", Maker: maker, Overlay: "hifiberry-dac", Codec: "PCM5102A",
			Notes: "the MiniAmp has no mute line", drivers: []string{"hifiberry,hifiberry-dac"}},
		{Name: "hifiberry-dacplus", Title: "HiFiBerry DAC+, DAC2 Pro, Amp2 or another with a PCM512x", Maker: maker, Overlay: "hifiberry-dacplus", Codec: "PCM5122", Bus: true, Address: 0x4D,
			Notes: "its driver does not tell a DAC+ from an Amp2: set dac = \"hifiberry-amp2\" for that", drivers: []string{"hifiberry,hifiberry-dacplus"}},
		{Name: "hifiberry-amp2", Title: "HiFiBerry Amp2", Maker: maker, Overlay: "hifiberry-dacplus", Codec: "TAS5756M", Bus: true, Address: 0x4D,
			Amplifier: Amplifier{Pin: "GPIO4"}, products: []string{"hifiberry amp2"}},
		{Name: "hifiberry-amp100", Title: "HiFiBerry Amp100", Maker: maker, Overlay: "hifiberry-amp100", Codec: "PCM5122", Bus: true, Address: 0x4D,
			Amplifier: Amplifier{Pin: "GPIO4", On: "low"}, Driver: true, Notes: "add auto_mute to its overlay", products: []string{"hifiberry amp100"}},
		{Name: "hifiberry-amp", Title: "HiFiBerry Amp or Amp+", Maker: maker, Overlay: "hifiberry-amp", Codec: "TAS5713", Bus: true, Address: 0x1B,
			drivers: []string{"hifiberry,hifiberry-amp"}, chips: []string{"tas5713"}},
		{Name: "hifiberry-amp3", Title: "HiFiBerry Amp3", Maker: maker, Overlay: "hifiberry-amp3", Codec: "MA120x0P", Bus: true, Address: 0x20,
			Driver: true, products: []string{"hifiberry amp3"}, drivers: []string{"hifiberry,hifiberry-amp3"}},
		{Name: "hifiberry-digi", Title: "HiFiBerry Digi+ (S/PDIF)", Maker: maker, Overlay: "hifiberry-digi", Codec: "WM8804", Bus: true, Address: 0x3B,
			products: []string{"hifiberry digi"}, drivers: []string{"hifiberry,hifiberry-digi"}},
	}
}

func pi() []Model {
	const maker = "Raspberry Pi (IQaudio)"
	return []Model{
		{Name: "iqaudio-dacplus", Title: "IQaudio DAC+, Raspberry Pi DAC+", Maker: maker, Overlay: "iqaudio-dacplus", Codec: "PCM5122", Bus: true, Address: 0x4C,
			products: []string{"pi-dac+", "raspberry pi dac+"}, drivers: []string{"iqaudio,iqaudio-dac"}, cards: []string{"IQaudIODAC"}},
		{Name: "iqaudio-digiampplus", Title: "IQaudio DigiAMP+, Raspberry Pi DigiAMP+", Maker: maker, Overlay: "iqaudio-digiampplus", Codec: "TAS5756M", Bus: true, Address: 0x4C,
			Amplifier: Amplifier{Pin: "GPIO22", On: "high"}, Notes: "muted from power-on until the line is moved; without unmute_amp or auto_mute_amp on its overlay that is Tutti's to do",
			products: []string{"digiamp+"}},
		{Name: "iqaudio-codec", Title: "IQaudio Codec Zero, Raspberry Pi Codec Zero", Maker: maker, Overlay: "iqaudio-codec", Codec: "DA7212", Bus: true, Address: 0x1A,
			products: []string{"codec zero"}, drivers: []string{"iqaudio,iqaudio-codec"}, chips: []string{"da7213", "da7212"}},
		{Name: "rpi-dacpro", Title: "Raspberry Pi DAC Pro", Maker: maker, Overlay: "rpi-dacpro", Codec: "PCM5242", Bus: true, Address: 0x4D,
			products: []string{"dac pro"}},
	}
}

func others() []Model {
	return []Model{
		{Name: "justboom-dac", Title: "JustBoom DAC or Amp", Maker: "JustBoom", Overlay: "justboom-dac", Codec: "PCM5122 or TAS5756M", Bus: true, Address: 0x4D,
			products: []string{"justboom dac", "justboom amp"}, drivers: []string{"justboom,justboom-dac"}},
		{Name: "justboom-digi", Title: "JustBoom Digi (S/PDIF)", Maker: "JustBoom", Overlay: "justboom-digi", Codec: "WM8804", Bus: true, Address: 0x3B,
			products: []string{"justboom digi"}, drivers: []string{"justboom,justboom-digi"}},
		{Name: "allo-boss", Title: "Allo Boss", Maker: "Allo", Overlay: "allo-boss-dac-pcm512x-audio", Codec: "PCM5122", Bus: true, Address: 0x4D,
			products: []string{"boss dac"}, drivers: []string{"allo,boss-dac"}},
		{Name: "louder-raspberry", Title: "Sonocotta Louder Raspberry", Maker: "Sonocotta", Codec: "TAS5805M", Bus: true,
			Amplifier: Amplifier{Pin: "GPIO4", On: "high"}, Notes: "its overlay is the maker's own; where the kernel has no driver for the chip, amplifier_chip = \"tas5805m\" sets it up",
			chips: []string{"tas5805m"}},
		{Name: "louder-raspberry-plus", Title: "Sonocotta Louder Raspberry Plus", Maker: "Sonocotta", Codec: "TAS5825M", Bus: true,
			Notes: "like the Louder Raspberry, with amplifier_chip = \"tas5825m\"", chips: []string{"tas5825m"}},
		{Name: "pirate-audio", Title: "Pimoroni Pirate Audio", Maker: "Pimoroni", Overlay: "hifiberry-dac", Codec: "PCM5102A or MAX98357A",
			Amplifier: Amplifier{Pin: "GPIO25", On: "high"}, Notes: "buttons at GPIO5, GPIO6, GPIO16 and GPIO24 (GPIO20 on early boards)"},
		{Name: "wm8960", Title: "Waveshare or Seeed WM8960 (ReSpeaker 2-Mics)", Maker: "Waveshare, Seeed", Overlay: "wm8960-soundcard", Codec: "WM8960", Bus: true, Address: 0x1A,
			Notes: "loudspeakers of 1 W; its volume controls are in the ALSA mixer", chips: []string{"wm8960"}},
	}
}

func generic() []Model {
	return []Model{
		{Name: "pcm5102a", Title: "any board with a PCM5102A", Overlay: "hifiberry-dac", Codec: "PCM5102A",
			Notes: "XSMT must be tied high, or wired to a GPIO as the amplifier's line"},
		{Name: "max98357a", Title: "any board with a MAX98357A", Overlay: "max98357a", Codec: "MAX98357A",
			Amplifier: Amplifier{Pin: "GPIO4", On: "high"}, Driver: true, Notes: "the overlay's driver moves SD_MODE at GPIO4; with no-sdmode on the overlay that line may be Tutti's",
			drivers: []string{"maxim,max98357a"}, cards: []string{"MAX98357A"}},
		{Name: "es9023", Title: "any board with an ES9023", Overlay: "i2s-dac", Codec: "ES9023"},
	}
}

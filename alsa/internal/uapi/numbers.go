package uapi

import "unsafe"

// How an ioctl's number is made, on all the architectures that Tutti runs on.
const (
	none  = 0
	write = 1 << 30
	read  = 2 << 30

	pcm = 'A' << 8
	ctl = 'U' << 8

	// TLVHead is the size that is part of the numbers for TLV data.
	TLVHead = 8
)

// The ioctls of a PCM device.
const (
	PCMHwRefine  = read | write | pcm | 0x10 | unsafe.Sizeof(HwParams{})<<16
	PCMHwParams  = read | write | pcm | 0x11 | unsafe.Sizeof(HwParams{})<<16
	PCMSwParams  = read | write | pcm | 0x13 | unsafe.Sizeof(SwParams{})<<16
	PCMSyncPtr   = read | write | pcm | 0x23 | unsafe.Sizeof(SyncPtr{})<<16
	PCMStatusExt = read | write | pcm | 0x24 | unsafe.Sizeof(Status{})<<16
	PCMPrepare   = none | pcm | 0x40
	PCMStart     = none | pcm | 0x42
	PCMDrop      = none | pcm | 0x43
	PCMResume    = none | pcm | 0x47
	PCMWritei    = write | pcm | 0x50 | unsafe.Sizeof(Xferi{})<<16
	PCMReadi     = read | pcm | 0x51 | unsafe.Sizeof(Xferi{})<<16
)

// The ioctls of a control device.
const (
	CtlCardInfo        = read | ctl | 0x01 | unsafe.Sizeof(CardInfo{})<<16
	CtlElemList        = read | write | ctl | 0x10 | unsafe.Sizeof(ElemList{})<<16
	CtlElemInfo        = read | write | ctl | 0x11 | unsafe.Sizeof(ElemInfo{})<<16
	CtlElemRead        = read | write | ctl | 0x12 | unsafe.Sizeof(ElemValue{})<<16
	CtlElemWrite       = read | write | ctl | 0x13 | unsafe.Sizeof(ElemValue{})<<16
	CtlTLVRead         = read | write | ctl | 0x1a | TLVHead<<16
	CtlPCMNextDevice   = read | ctl | 0x30 | 4<<16
	CtlPCMInfo         = read | write | ctl | 0x31 | unsafe.Sizeof(PCMInfo{})<<16
	CtlPreferSubdevice = write | ctl | 0x32 | 4<<16
)

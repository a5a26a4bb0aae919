package uapi

import "unsafe"

// An array of negative length does not compile: each structure is exactly as
// large as C's, and what must lie at a multiple of 8 does.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(HwParams{})-sizeHwParams]
	_ = [1]struct{}{}[unsafe.Sizeof(SwParams{})-sizeSwParams]
	_ = [1]struct{}{}[unsafe.Sizeof(Status{})-sizeStatus]
	_ = [1]struct{}{}[unsafe.Sizeof(Xferi{})-sizeXferi]
	_ = [1]struct{}{}[unsafe.Sizeof(ElemList{})-sizeElemList]
	_ = [1]struct{}{}[unsafe.Sizeof(ElemValue{})-sizeElemValue]

	_ = [1]struct{}{}[unsafe.Sizeof(MmapStatus{})-56]
	_ = [1]struct{}{}[unsafe.Sizeof(SyncPtr{})-136]
	_ = [1]struct{}{}[unsafe.Sizeof(PCMInfo{})-288]
	_ = [1]struct{}{}[unsafe.Sizeof(CardInfo{})-376]
	_ = [1]struct{}{}[unsafe.Sizeof(ElemID{})-64]
	_ = [1]struct{}{}[unsafe.Sizeof(ElemInfo{})-272]

	_ = [1]struct{}{}[unsafe.Offsetof(Status{}.Trigger)-8]
	_ = [1]struct{}{}[unsafe.Offsetof(Status{}.AudioTstamp)%8]
	_ = [1]struct{}{}[unsafe.Offsetof(MmapStatus{}.Tstamp)-16]
	_ = [1]struct{}{}[unsafe.Offsetof(MmapStatus{}.AudioTstamp)-40]
	_ = [1]struct{}{}[unsafe.Offsetof(SyncPtr{}.ApplPtr)-72]
	_ = [1]struct{}{}[unsafe.Offsetof(ElemInfo{}.Value)-80]
	_ = [1]struct{}{}[unsafe.Offsetof(ElemValue{}.Value)-72]
)

package uapi

const (
	sizeHwParams  = 604
	sizeSwParams  = 104
	sizeStatus    = 128
	sizeXferi     = 12
	sizeElemList  = 72
	sizeElemValue = 712
)

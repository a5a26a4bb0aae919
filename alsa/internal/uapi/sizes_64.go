//go:build amd64 || arm64 || riscv64

package uapi

const (
	sizeHwParams  = 608
	sizeSwParams  = 136
	sizeStatus    = 152
	sizeXferi     = 24
	sizeElemList  = 80
	sizeElemValue = 1224
)

package i2cdev

import (
	"strings"
	"testing"
)

// TestNotThere: what is not there is an error that says what to do. That a bus
// works can only be seen on one.
func TestNotThere(t *testing.T) {
	if _, err := Open(99999); err == nil || !strings.Contains(err.Error(), "i2c-dev") {
		t.Errorf("%v", err)
	}
	b := &Bus{number: 1}
	if err := b.Tx(0x80, []byte{0}, nil); err == nil {
		t.Error("an address of 8 bits is taken")
	}
	if b.SetSpeed(1) == nil || b.String() != "I2C1" {
		t.Error("speed")
	}
}

package panel

import (
	"fmt"
	"strconv"
	"strings"
)

// CheckPin reports what is wrong with the name of a GPIO line, or nil. It is the
// kernel's name for the line, or CHIP:NUMBER.
func CheckPin(name string) error {
	chip, offset, exact := strings.Cut(name, ":")
	_, err := strconv.ParseUint(offset, 10, 16)
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, outside) || exact && (chip == "" || err != nil) {
		return fmt.Errorf("%q is no GPIO line: use a name such as GPIO17, or CHIP:NUMBER such as gpiochip0:17; `gpioinfo` lists them", name)
	}
	return nil
}

func outside(r rune) bool { return r <= ' ' || r >= 0x7F || r == '/' || r == '"' || r == '\\' }

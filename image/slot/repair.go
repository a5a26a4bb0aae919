package slot

import "fmt"

// passes is how often a boot partition is repaired at most; three is the most that was
// ever needed.
const passes = 8

// Repair makes a boot partition whole that is not mounted, and reports whether it was
// not. It looks instead of trusting the mark that a mounted partition carries. And it
// looks again after each repair: what fsck.vfat mends of a folder that a power cut has
// left half made, it finds to be no folder only the next time, and a kernel that comes
// upon it in between refuses all further writing.
func Repair(fsck func(option string) ([]byte, error)) (repaired bool, err error) {
	for range passes {
		var said []byte
		if said, err = fsck("-n"); err == nil {
			return repaired, nil
		}
		err = fmt.Errorf("the boot partition cannot be repaired, write the image to the card anew: %w: %s", err, said)
		_, _ = fsck("-a") // the next look is its verdict
		repaired = true
	}
	return repaired, err
}

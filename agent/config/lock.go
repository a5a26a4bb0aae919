package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxShared is how many speakers of one host find a directory of their own.
const maxShared = 16

// OwnStateDir keeps a state directory for this process until release is called,
// so that two speakers on one host do not share an identity. When another process
// has it, a directory in it is taken instead: DIR/2, DIR/3 and so on. Where
// nothing can be written, the directory is returned as it is.
func OwnStateDir(dir string) (own string, release func(), err error) {
	for n := 1; n <= maxShared; n++ {
		own = dir
		if n > 1 {
			own = filepath.Join(dir, fmt.Sprint(n))
		}
		file, err := lock(own)
		if err == nil {
			return own, func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return own, func() {}, nil // SaveState will say what is wrong
		}
	}
	return "", nil, fmt.Errorf("%d speakers on this host use %s already: give this one a --state-dir", maxShared, dir)
}

// lock makes dir and locks a file in it; closing the file unlocks.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

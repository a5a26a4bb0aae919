package hostclock

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// LockProgram keeps in memory what has been read of the program's own file, and what
// will be, so that the audio thread never waits for a card to be read when memory is
// short. What is never used costs nothing. Only the program is locked: Go reserves
// address space by the gigabyte, which the limits on locked memory count too. The
// error is RLIMIT_MEMLOCK's, mostly.
func LockProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	const onFault = 1 // MLOCK_ONFAULT of mlock2(2)
	locked := false
	for line := range strings.Lines(string(maps)) {
		var begin, end uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &begin, &end); err != nil || !strings.HasSuffix(strings.TrimSpace(line), program) {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MLOCK2, begin, end-begin, onFault); errno != 0 {
			return fmt.Errorf("lock the program in memory: %w", errno)
		}
		locked = true
	}
	if !locked {
		return errors.New("the program's own file is not among its mappings")
	}
	return nil
}

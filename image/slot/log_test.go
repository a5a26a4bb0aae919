//go:build vm

package slot_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// write is one request of a machine to its disk, as QEMU's blklogwrites records it.
type write struct {
	at    int64
	data  []byte
	flush bool // all before it is on the disk
}

const sector = 512

// readLog reads the record: a sector of its own, then for each request a sector that
// describes it, and its data.
func readLog(file string) (all []write, err error) {
	log, err := os.ReadFile(file)
	if err != nil || len(log) < sector {
		return nil, errors.Join(err, fmt.Errorf("%s has %d bytes", file, len(log)))
	}
	const flush, discard = 1, 4
	for log = log[sector:]; len(log) >= sector; {
		at, size := binary.LittleEndian.Uint64(log)*sector, binary.LittleEndian.Uint64(log[8:])*sector
		flags := binary.LittleEndian.Uint64(log[16:])
		log = log[sector:]
		w := write{at: int64(at), flush: flags&flush != 0}
		if flags&discard == 0 {
			if uint64(len(log)) < size {
				return nil, fmt.Errorf("%s ends within a request", file)
			}
			w.data, log = log[:size], log[size:]
		}
		all = append(all, w)
	}
	return all, nil
}

// apply makes what a request changes.
func (w write) apply(disk []byte) { copy(disk[w.at:], w.data) }

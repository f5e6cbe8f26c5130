package state

import (
	"encoding/binary"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// countMerger adds up counts (see Arrangement.Add). It never deletes: a
// merge only ever makes a count greater, what makes it less is read and written.
var countMerger = &pebble.Merger{
	Name: "helios.count",
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		m := &countSum{}
		return m, m.MergeNewer(value)
	},
}

// A countSum is one sum in the making. Counts commute.
type countSum struct {
	sum uint64
	buf [binary.MaxVarintLen64]byte
}

func (m *countSum) MergeNewer(value []byte) error {
	n, err := decodeCount(value)
	m.sum += n
	return err
}

func (m *countSum) MergeOlder(value []byte) error { return m.MergeNewer(value) }

func (m *countSum) Finish(bool) ([]byte, io.Closer, error) {
	return m.buf[:binary.PutUvarint(m.buf[:], m.sum)], nil, nil
}

func decodeCount(value []byte) (uint64, error) {
	n, k := binary.Uvarint(value)
	if k <= 0 || k != len(value) {
		return 0, pgerr.Newf(pgerr.DataCorrupted, "a count of %d bytes cannot be read", len(value))
	}
	return n, nil
}

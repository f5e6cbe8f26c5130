package engine

import (
	"bytes"
	"slices"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A sorter puts the rows of a one-shot query in order and cuts them to LIMIT
// and OFFSET. Memory: all rows; with a limit about twice as many rows as the
// limit and offset let through.
type sorter struct {
	keys   []physical.OrderKey
	types  []types.Type
	keep   int // rows that can matter: offset + limit; −1 all
	budget int

	rows  []sortedRow
	size  int
	spans []types.Span
}

type sortedRow struct {
	key, row []byte
	weight   int64
}

func newSorter(keys []physical.OrderKey, ts []types.Type, keep, budget int) *sorter {
	return &sorter{keys: keys, types: ts, keep: keep, budget: budget}
}

// add takes a row, which it copies. 53200 beyond the memory budget.
func (s *sorter) add(row types.Row, w int64) error {
	s.spans = row.Spans(len(s.types), s.spans)
	buf := make([]byte, 0, len(row)+16*len(s.keys)+8)
	for _, k := range s.keys {
		start := len(buf)
		span := s.spans[k.Column]
		// The key encoding puts NULLs last: a leading byte moves them where
		// the query wants them, and the value's bytes are inverted to descend.
		null := span.Len < 0
		switch {
		case null && k.NullsFirst:
			buf = append(buf, 0)
			continue
		case null:
			buf = append(buf, 2)
			continue
		}
		buf = append(buf, 1)
		buf = types.AppendKeySpan(buf, s.types[k.Column].OID, row, span)
		if k.Desc {
			for i := start + 1; i < len(buf); i++ {
				buf[i] = ^buf[i]
			}
		}
	}
	n := len(buf)
	buf = append(buf, row...)
	s.rows = append(s.rows, sortedRow{buf[:n:n], buf[n:], w})
	s.size += len(buf) + 56
	if s.keep >= 0 && len(s.rows) >= 2*s.keep+1024 {
		s.order()
		s.rows = s.rows[:min(s.keep, len(s.rows))]
		s.size = 0
		for _, r := range s.rows {
			s.size += len(r.key) + len(r.row) + 56
		}
	}
	if s.size > s.budget {
		return pgerr.Newf(pgerr.OutOfMemory, "sorting the result needs more than the %d bytes that a query may use", s.budget).
			WithHint("Add a LIMIT, or raise helios.query_memory.")
	}
	return nil
}

// order sorts what is there; ties go by the rows' bytes, so that a result
// does not depend on the order of arrival.
func (s *sorter) order() {
	slices.SortFunc(s.rows, func(a, b sortedRow) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return bytes.Compare(a.row, b.row)
	})
}

// emit hands out the rows in order.
func (s *sorter) emit(f func(row types.Row, w int64) error) error {
	s.order()
	for _, r := range s.rows {
		if err := f(r.row, r.weight); err != nil {
			return err
		}
	}
	return nil
}

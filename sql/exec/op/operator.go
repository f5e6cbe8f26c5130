package op

import (
	"context"

	"github.com/helios-sql/helios-sql/sql/types"
)

// An Emit takes one row, borrowed, with its weight.
type Emit func(row types.Row, w int64) error

// A ScanFunc enumerates a collection: its rows and its errors. A row may come
// several times; no weight is negative. A nil emit asks for the errors alone, a nil emitErr
// for the rows alone.
type ScanFunc func(ctx context.Context, emit, emitErr Emit) error

// An Operator is a node of a circuit.
type Operator interface {
	// Eval runs one tick: in holds the inputs' deltas, borrowed; out is empty.
	Eval(in []*Delta, out *Delta) error
	// Scan enumerates the current output from the state and the inputs' scans.
	Scan(ctx context.Context, in []ScanFunc, emit, emitErr Emit) error
}

package op

import (
	"context"

	"github.com/helios-sql/helios-sql/sql/types"
)

// A Constant is a list of rows: its only change is all of them, at its first
// tick. State: part "done", one entry once that tick was.
type Constant struct {
	rows []types.Row
	done Arrangement
}

// NewConstant gives the operator.
func NewConstant(rows []types.Row, open Open) (*Constant, error) {
	done, err := open("done")
	return &Constant{rows, done}, err
}

// Eval puts out the rows if it has never run.
func (c *Constant) Eval(_ []*Delta, out *Delta) error {
	if _, done, err := c.done.Get(countOne); done || err != nil {
		return err
	}
	for _, row := range c.rows {
		out.Rows.Append(row, 1)
	}
	return c.done.Set(countOne, nil)
}

// Scan enumerates the rows.
func (c *Constant) Scan(_ context.Context, _ []ScanFunc, emit, _ Emit) error {
	if emit == nil {
		return nil
	}
	for _, row := range c.rows {
		if err := emit(row, 1); err != nil {
			return err
		}
	}
	return nil
}

package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/helios-sql/helios-sql/sql/exec/circuit"
	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// errStop ends a scan whose reader has enough.
var errStop = errors.New("enough rows")

// rows runs a query's plan once at the transaction's tick and hands out its
// visible rows in order, each as often as it occurs.
func (s *Session) rows(ctx context.Context, tx *transaction, st *statement, args []types.Datum, emit func(types.Row) error) error {
	ready, err := st.take()
	if err != nil {
		return err
	}
	plan := st.plan
	if ready == nil {
		plan = substitute(plan, args)
	}
	ec := s.evalContext(tx)
	scan := func(emit func(types.Row, int64) error) error {
		err := s.scan(ctx, tx, ready, plan.Root, args, ec, emit)
		if ready != nil {
			st.put(ready, plan)
		}
		return err
	}
	order := plan.Order
	if order == nil {
		return scan(repeat(emit))
	}
	limit, offset, err := limits(order, ec)
	if err != nil || limit == 0 {
		return err
	}
	outTypes := plan.Root.Types()
	cut := func(row types.Row) error { return emit(visible(row, order.Visible, len(outTypes))) }
	skip, left := offset, limit
	send := func(row types.Row, w int64) error {
		if drop := min(skip, w); drop > 0 {
			skip, w = skip-drop, w-drop
		}
		for ; w > 0; w-- {
			if left == 0 {
				return errStop
			}
			if err := cut(row); err != nil {
				return err
			}
			left--
		}
		if left == 0 {
			return errStop
		}
		return nil
	}
	if len(order.Keys) == 0 {
		err = scan(send)
	} else {
		keep := -1
		if limit > 0 && limit+offset < 1<<30 {
			keep = int(limit + offset)
		}
		sorter := newSorter(order.Keys, outTypes, keep, s.memory)
		if err = scan(sorter.add); err == nil {
			err = sorter.emit(send)
		}
	}
	if err == errStop {
		return nil
	}
	return err
}

// repeat hands out a row as often as its weight says.
func repeat(emit func(types.Row) error) func(types.Row, int64) error {
	return func(row types.Row, w int64) error {
		for ; w > 0; w-- {
			if err := emit(row); err != nil {
				return err
			}
		}
		return nil
	}
}

// visible cuts the columns that only the order needs.
func visible(row types.Row, n, all int) types.Row {
	if n == all {
		return row
	}
	off := 0
	for range n {
		off = types.Skip(row, off)
	}
	return row[:off]
}

// scan runs a plan once at the transaction's tick: the query that was made of
// it or, where there is none, the plan's root.
func (s *Session) scan(ctx context.Context, tx *transaction, ready *circuit.Query, root physical.Node, args []types.Datum, ec *eval.Context, emit func(types.Row, int64) error) error {
	n := 0
	opt := circuit.QueryOptions{
		System:       func(rel uint32, emit func(types.Row) error) error { return s.engine.system.rows(s, tx.view, rel, emit) },
		MemoryBudget: s.memory,
		Context:      ec,
		Args:         args,
	}
	each := func(row types.Row, w int64) error {
		if n++; n&1023 == 0 && ctx.Err() != nil {
			return canceled(ctx)
		}
		return emit(row, w)
	}
	var err error
	if ready != nil {
		err = ready.Run(ctx, tx, opt, each)
	} else {
		err = circuit.Run(ctx, root, tx, opt, each)
	}
	if err != nil && ctx.Err() != nil {
		return canceled(ctx)
	}
	return err
}

// limits gives LIMIT (−1: none) and OFFSET.
func limits(o *physical.Order, ec *eval.Context) (limit, offset int64, err error) {
	limit, err = limitValue(o.Limit, -1, pgerr.InvalidRowCountInLimit, "LIMIT", ec)
	if err == nil {
		offset, err = limitValue(o.Offset, 0, pgerr.InvalidRowCountInOffset, "OFFSET", ec)
	}
	return limit, offset, err
}

func limitValue(e scalar.Expr, none int64, code pgerr.Code, word string, ec *eval.Context) (int64, error) {
	if e == nil {
		return none, nil
	}
	d, err := evalConst(e, ec)
	switch {
	case err != nil:
		return 0, err
	case d.Null:
		return none, nil
	case d.I < 0:
		return 0, pgerr.Newf(code, "%s must not be negative", word)
	}
	return d.I, nil
}

// evalConst computes an expression that reads no row.
func evalConst(e scalar.Expr, ec *eval.Context) (types.Datum, error) {
	p, err := eval.Compile(e, nil)
	if err != nil {
		return types.Datum{}, fmt.Errorf("compiling: %w", err)
	}
	f := eval.NewFrame(ec)
	f.SetRow(nil)
	return p.Eval(f)
}

// evalContext is what expressions see of the session.
func (s *Session) evalContext(tx *transaction) *eval.Context {
	schema := ""
	if path := s.path; len(path) > 0 {
		schema = firstSchema(s.catalog(), path)
	}
	return &eval.Context{
		TimeZone:  s.format.TimeZone,
		Now:       micros(tx.now),
		User:      s.user,
		Database:  s.engine.opts.Database,
		Schema:    schema,
		SessionID: s.id,
		Version:   VersionText,
		Catalog:   s.names(s.catalog()),
		Setting:   s.setting,
	}
}

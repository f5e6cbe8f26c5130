package engine

import (
	"errors"
	"fmt"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/types"
)

// planQuery plans a query that runs once.
func planQuery(q *binder.Query) (*physical.Plan, error) { return planner.Plan(q, planner.OneShot) }

// planView plans a materialized view; the root is a Sink.
func planView(q *binder.Query) (*physical.Plan, error) { return planner.Plan(q, planner.View) }

// planRows plans the rows that a DML statement changes.
func planRows(root rel.Node) (*physical.Plan, error) {
	s := root.Schema()
	return planQuery(&binder.Query{Root: root, Visible: len(s), Cols: s})
}

// substitute puts a prepared statement's arguments into its plan.
func substitute(p *physical.Plan, args []types.Datum) *physical.Plan {
	if len(args) == 0 {
		return p
	}
	return physical.SubstituteParams(p, args)
}

// bindStored binds a stored view's query.
func (e *Engine) bindStored(cat *catalog.Snapshot, rel *catalog.Relation) (*binder.Query, error) {
	sel, err := parseQuery(rel.Query)
	if err != nil {
		return nil, err
	}
	return binder.New(cat, binder.Options{SearchPath: rel.SearchPath, ParseView: parseQuery}).BindQuery(sel)
}

// planStored plans a stored materialized view: the same plan as when it was
// made, as long as the planner is the same.
func (e *Engine) planStored(cat *catalog.Snapshot, rel *catalog.Relation) (*physical.Sink, error) {
	q, err := e.bindStored(cat, rel)
	if err != nil {
		return nil, err
	}
	p, err := planView(q)
	if err != nil {
		return nil, err
	}
	return p.Root.(*physical.Sink), nil
}

func stageOf(name string, def planner.Stage) (planner.Stage, error) {
	if name == "" {
		return def, nil
	}
	st, ok := planner.ParseStage(name)
	if !ok {
		return "", pgerr.Newf(pgerr.InvalidParameterValue, "unrecognized value for EXPLAIN option \"stage\": %q", name).
			WithHint("Use bind, normalize or physical.")
	}
	return st, nil
}

// explainQuery prints a query's plan.
func (e *Engine) explainQuery(_ *catalog.Snapshot, q *binder.Query, stage string) (string, error) {
	st, err := stageOf(stage, planner.Physical)
	if err != nil {
		return "", err
	}
	return planner.Explain(st, q, planner.OneShot, nil)
}

// explainView prints a view's plan: what it would share with the views that
// are there or, if it is one of them (rel), what it shares with earlier ones.
func (e *Engine) explainView(cat *catalog.Snapshot, rel *catalog.Relation, q *binder.Query, stage string) (string, error) {
	st, err := stageOf(stage, planner.Physical)
	if err != nil {
		return "", err
	}
	owner := map[physical.Fingerprint]string{}
	for _, o := range cat.Relations() {
		if o.Kind != catalog.MaterializedView || rel != nil && o.ID >= rel.ID {
			continue
		}
		sink, err := e.planStored(cat, o)
		if err != nil {
			return "", fmt.Errorf("view %q: %w", o.Name, err)
		}
		own(sink.Input, o.Name, owner)
	}
	return planner.Explain(st, q, planner.View, func(fp physical.Fingerprint) (string, bool) {
		name, ok := owner[fp]
		return name, ok
	})
}

// own notes whose operators these are, first come first served.
func own(n physical.Node, name string, owner map[physical.Fingerprint]string) {
	if _, source := n.(*physical.Source); source {
		return
	}
	if _, ok := owner[n.Fingerprint()]; ok {
		return
	}
	owner[n.Fingerprint()] = name
	for _, in := range n.Inputs() {
		own(in, name, owner)
	}
}

// viewError gives the error that reading a view reports, nil if there is none.
func (e *Engine) viewError(v *readView, rel *catalog.Relation) (err error) {
	a, err := v.snap.Open(physical.RelationFingerprint(uint32(rel.ID)), "errs")
	if err != nil {
		return err
	}
	c, err := a.Cursor()
	if err != nil {
		return err
	}
	if c.Range(nil, nil) {
		err = op.ErrorOf(c.Key())
	}
	return errors.Join(err, c.Close())
}

// countRows counts a view's rows. Cost: a scan.
func (e *Engine) countRows(v *readView, rel *catalog.Relation) (n int64, err error) {
	a, err := v.snap.Open(physical.RelationFingerprint(uint32(rel.ID)), "rows")
	if err != nil {
		return 0, err
	}
	c, err := a.Cursor()
	if err != nil {
		return 0, err
	}
	for ok := c.Range(nil, nil); ok; ok = c.Next() {
		n++
	}
	return n, c.Close()
}

// stateSizes gives about how much each relation takes on disk: its own rows
// and the operators that it alone uses.
func (e *Engine) stateSizes() (map[catalog.ID]int64, error) {
	states, err := e.store.States()
	if err != nil {
		return nil, err
	}
	bytes := map[physical.Fingerprint]int64{}
	for _, st := range states {
		bytes[st.Fingerprint] = int64(st.Bytes)
	}
	out := map[catalog.ID]int64{}
	cat := e.Catalog()
	for _, r := range cat.Relations() {
		out[r.ID] = bytes[physical.RelationFingerprint(uint32(r.ID))]
		if r.Kind != catalog.MaterializedView {
			continue
		}
		sink, err := e.planStored(cat, r)
		if err != nil {
			return nil, err
		}
		owner := map[physical.Fingerprint]string{}
		own(sink.Input, r.Name, owner)
		for fp := range owner {
			out[r.ID] += bytes[fp]
		}
	}
	return out, nil
}

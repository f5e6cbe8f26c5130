package planner

import (
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
)

// A Stage is a stage of planning that EXPLAIN shows.
type Stage string

// The stages, by their names in EXPLAIN (STAGE name).
const (
	Bind      Stage = "bind"
	Normalize Stage = "normalize"
	Physical  Stage = "physical"
)

// ParseStage finds a stage by name.
func ParseStage(name string) (Stage, bool) {
	switch s := Stage(name); s {
	case Bind, Normalize, Physical:
		return s, true
	}
	return "", false
}

// Explain plans a query as Plan does and prints it as it is after a stage.
// shared tells which operators run already, and for which view; nil: none.
func Explain(stage Stage, q *binder.Query, mode Mode, shared func(physical.Fingerprint) (view string, ok bool)) (string, error) {
	p, err := newPlanning(q, mode)
	if err != nil {
		return "", err
	}
	if stage == Bind {
		return rel.String(p.root), nil
	}
	p.normalize()
	if stage == Normalize {
		return rel.String(p.root), nil
	}
	plan, err := p.build()
	if err != nil {
		return "", err
	}
	return physical.Format(plan, shared), nil
}

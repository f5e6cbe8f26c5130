package memo

import (
	"fmt"
	"testing"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

func scan(id uint32, key ...int) *rel.Scan {
	s := &rel.Scan{ID: id, Name: fmt.Sprint("t", id), Key: key}
	for _, name := range []string{"a", "b", "c"} {
		s.Cols = append(s.Cols, types.Column{Name: name, Type: types.T(types.Int4)})
	}
	return s
}

func col(i int, name string) *scalar.Column {
	return &scalar.Column{Index: i, Typ: types.T(types.Int4), Name: name}
}

func TestIntern(t *testing.T) {
	m := New()
	plan := func(id uint32, name string, want bool) rel.Node {
		return &rel.Filter{
			Input: &rel.Project{Input: scan(id), Exprs: []scalar.Expr{col(0, name)}, Names: []string{name}},
			Preds: []scalar.Expr{&scalar.IsNull{X: col(0, name), Neg: want}},
		}
	}
	a := m.Intern(plan(1, "x", true))
	if b := m.Intern(plan(1, "y", true)); b != a {
		t.Error("equal plans with other names are two nodes")
	}
	if m.Intern(a) != a {
		t.Error("an interned node is not its own representative")
	}
	for _, other := range []rel.Node{plan(2, "x", true), plan(1, "x", false), &rel.Distinct{Input: a}, &rel.Union{All: []rel.Node{a, a}}} {
		if m.Intern(other) == a {
			t.Errorf("another plan is the same node:\n%s", rel.String(other))
		}
	}
	if New().Fingerprint(plan(1, "x", true)) != m.Fingerprint(a) {
		t.Error("fingerprints differ between memos")
	}
}

// The fingerprint of a fixed plan must not change between versions without an intent.
func TestFingerprintIsDurable(t *testing.T) {
	j := &rel.Join{Kind: rel.Left, L: scan(1), R: scan(2), On: []scalar.Expr{&scalar.IsNull{X: col(4, "b")}}}
	if got := fmt.Sprintf("%x", New().Fingerprint(j)); got != "e2b6ffebb3a3223319a48aab29e9c970" {
		t.Errorf("fingerprint is %s", got)
	}
}

func TestKeys(t *testing.T) {
	var ks Keys
	for _, k := range [][]int{{3, 1}, {2}, {1, 2}, {1, 3, 4}} {
		ks = ks.Add(k)
	}
	if got := fmt.Sprint(ks); got != "[[2] [1 3]]" {
		t.Errorf("minimal keys are %s", got)
	}
	if got := fmt.Sprint(ks.Project([]int{3, -1, 1})); got != "[[0 2]]" {
		t.Errorf("projected keys are %s", got)
	}
	if got := fmt.Sprint(ks.Without(func(c int) bool { return c == 3 })); got != "[[1] [2]]" {
		t.Errorf("keys without column 3 are %s", got)
	}
	if !ks.Covered([]int{0, 1, 3}) || ks.Covered([]int{0, 1}) {
		t.Error("Covered is wrong")
	}
	if Keys(nil).Best() != nil || (Keys{{}}).Best() == nil {
		t.Error("no key and the empty key are the same")
	}
}

func TestJoinKeys(t *testing.T) {
	l, r := Keys{{0}}, Keys{{0, 1}}
	for _, c := range []struct {
		kind       rel.JoinKind
		lkey, rkey []int
		full       bool
		want       string
	}{
		{rel.Inner, []int{2}, []int{2}, false, "[[0 3 4]]"},
		{rel.Inner, []int{1, 2}, []int{0, 1}, false, "[[0]]"},
		{rel.Left, []int{1, 2}, []int{0, 1}, false, "[[0]]"},
		{rel.Left, []int{0}, []int{0}, false, "[[0 4]]"},
		{rel.Right, []int{0}, []int{2}, false, "[[3 4]]"},
		{rel.Full, []int{0}, []int{2}, false, "[]"},
		{rel.Full, []int{0}, []int{2}, true, "[[0 3 4]]"},
		{rel.Semi, []int{0}, []int{2}, false, "[[0]]"},
	} {
		if got := fmt.Sprint(JoinKeys(c.kind, l, r, 3, c.lkey, c.rkey, c.full)); got != c.want {
			t.Errorf("%v on %v = %v: %s, want %s", c.kind, c.lkey, c.rkey, got, c.want)
		}
	}
}

package physical

import (
	"fmt"
	"strings"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// Format prints a plan as a tree, one operator a line: what it does, the key
// that it keeps its state by, and what that state's size follows. A node with several readers
// is printed once, and then by its number. shared tells which operators run already
// and the name of a view that they serve; nil: none.
func Format(p *Plan, shared func(Fingerprint) (view string, ok bool)) string {
	pr := &printer{shared: shared, readers: map[Node]int{}, numbers: map[Node]int{}}
	pr.count(p.Root)
	if p.Order != nil {
		pr.order(p)
	}
	pr.tree("", "", p.Root)
	return pr.String()
}

type printer struct {
	shared  func(Fingerprint) (string, bool)
	readers map[Node]int
	numbers map[Node]int
	lines   []line
}

// A line is three columns: drawing and operator, key, state.
type line [3]string

func (pr *printer) count(n Node) {
	if pr.readers[n]++; pr.readers[n] == 1 {
		for _, c := range n.Inputs() {
			pr.count(c)
		}
	}
}

// tree draws a node and what is below it; lead stands before its own line, rest before those
// of its inputs.
func (pr *printer) tree(lead, rest string, n Node) {
	if !pr.visit(lead, n) {
		return
	}
	in := n.Inputs()
	for i, c := range in {
		if i < len(in)-1 {
			pr.tree(rest+" ├── ", rest+" │   ", c)
		} else {
			pr.tree(rest+" └── ", rest+"     ", c)
		}
	}
}

// visit prints a node's line and says whether to go on below.
func (pr *printer) visit(prefix string, n Node) bool {
	l := describe(n)
	l[0] = prefix + l[0]
	_, isSource := n.(*Source)
	if i, ok := pr.numbers[n]; ok {
		pr.lines = append(pr.lines, line{fmt.Sprintf("%ssame as #%d", prefix, i)})
		return false
	}
	if pr.readers[n] > 1 && !isSource {
		pr.numbers[n] = len(pr.numbers) + 1
		l[0] += fmt.Sprintf("  #%d", pr.numbers[n])
	}
	if pr.shared != nil && !isSource {
		if view, ok := pr.shared(n.Fingerprint()); ok {
			l[0] = prefix + "shared " + strings.TrimPrefix(l[0], prefix)
			l[2] = "of " + view
			pr.lines = append(pr.lines, l)
			return false
		}
	}
	pr.lines = append(pr.lines, l)
	return true
}

func (pr *printer) order(p *Plan) {
	names := infoOf(p.Root).Names
	var parts []string
	for _, k := range p.Order.Keys {
		s := names[k.Column]
		if k.Desc {
			s += " desc"
		}
		if k.NullsFirst != k.Desc {
			s += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
		}
		parts = append(parts, s)
	}
	text := "order"
	if len(parts) > 0 {
		text += " by " + strings.Join(parts, ", ")
	}
	if p.Order.Limit != nil {
		text += " limit " + scalar.String(p.Order.Limit)
	}
	if p.Order.Offset != nil {
		text += " offset " + scalar.String(p.Order.Offset)
	}
	pr.lines = append(pr.lines, line{text})
}

// String lays the columns out.
func (pr *printer) String() string {
	var width [2]int
	for _, l := range pr.lines {
		for i := range width {
			if l[1] != "" || l[2] != "" {
				width[i] = max(width[i], len([]rune(l[i])))
			}
		}
	}
	var b strings.Builder
	for _, l := range pr.lines {
		text := fmt.Sprintf("%-*s  %-*s  %s", width[0], l[0], width[1], l[1], l[2])
		b.WriteString(strings.TrimRight(text, " "))
		b.WriteByte('\n')
	}
	return b.String()
}

func describe(n Node) line {
	switch n := n.(type) {
	case *Source:
		l := line{"source " + n.Name}
		if n.Key != nil {
			l[1] = key(n.Names, n.Key)
		}
		if n.Lookup != nil {
			l[0] += " " + describeLookup(n)
		}
		return l
	case *Constant:
		return line{fmt.Sprintf("constant %d rows", len(n.Rows))}
	case *Map:
		return line{describeMap(n)}
	case *Arrange:
		if n.Of != nil {
			return line{"index", key(n.Names, n.Key), "state: keys of input rows"}
		}
		return line{"arrange", key(n.Names, n.Key), "state: input rows"}
	case *Join:
		return line{describeJoin(n)}
	case *Reduce:
		return describeReduce(n)
	case *Distinct:
		return line{"distinct", key(n.Names, all(len(n.Out))), "state: input rows"}
	case *Union:
		return line{"union-all"}
	case *Sink:
		if n.Key == nil {
			return line{"sink", "key=row", "state: rows"}
		}
		return line{"sink", key(n.Names, n.Key), "state: rows"}
	}
	panic(fmt.Sprintf("physical: unknown node %T", n))
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func key(names []string, cols []int) string {
	return "key=(" + strings.Join(columnNames(names, cols), ", ") + ")"
}

func columnNames(names []string, cols []int) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = names[c]
	}
	return out
}

func describeMap(n *Map) string {
	switch {
	case n.Exprs == nil:
		return "filter " + list(n.Preds, " AND ")
	case len(n.Preds) == 0:
		return strings.TrimRight("project "+list(n.Exprs, ", "), " ")
	}
	return "project " + list(n.Exprs, ", ") + " where " + list(n.Preds, " AND ")
}

var joinNames = [...]string{rel.Inner: "inner-join", rel.Left: "left-join", rel.Right: "right-join", rel.Full: "full-join", rel.Semi: "semi-join", rel.Anti: "anti-join"}

func describeJoin(n *Join) string {
	if n.Kind == rel.Inner && len(n.LKey) == 0 {
		return "cross-join"
	}
	l, r := infoOf(n.L).Names, infoOf(n.R).Names
	var on []string
	for i := range n.LKey {
		on = append(on, l[n.LKey[i]]+" = "+r[n.RKey[i]])
	}
	if len(n.Residual) > 0 {
		on = append(on, list(n.Residual, " AND "))
	}
	return strings.TrimRight(joinNames[n.Kind]+" "+strings.Join(on, " AND "), " ")
}

func describeReduce(n *Reduce) line {
	in := infoOf(n.Input).Names
	var aggs []string
	state := "state: groups"
	for _, a := range n.Aggs {
		arg := "*"
		if a.Arg >= 0 {
			arg = in[a.Arg]
		}
		if a.Distinct {
			arg = "distinct " + arg
		}
		s := a.Fn.Name + "(" + arg + ")"
		if a.Filter >= 0 {
			s += " filter " + in[a.Filter]
		}
		aggs = append(aggs, s)
		if a.Distinct || !a.Fn.Linear {
			state = "state: groups, values"
		}
	}
	return line{"reduce " + strings.Join(aggs, ", "), key(in, n.Keys), state}
}

func describeLookup(n *Source) string {
	var parts []string
	l := n.Lookup
	for i, e := range l.Eq {
		parts = append(parts, n.Names[n.Key[i]]+" = "+scalar.String(e))
	}
	if l.Low != nil {
		parts = append(parts, n.Names[n.Key[len(l.Eq)]]+map[bool]string{true: " > ", false: " >= "}[l.LowX]+scalar.String(l.Low))
	}
	if l.High != nil {
		parts = append(parts, n.Names[n.Key[len(l.Eq)]]+map[bool]string{true: " < ", false: " <= "}[l.HighX]+scalar.String(l.High))
	}
	return "at " + strings.Join(parts, ", ")
}

func list(es []scalar.Expr, sep string) string {
	s := make([]string, len(es))
	for i, e := range es {
		s[i] = scalar.String(e)
	}
	return strings.Join(s, sep)
}

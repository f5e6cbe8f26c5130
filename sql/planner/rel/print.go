package rel

import (
	"fmt"
	"strings"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// String prints a tree, one operator a line, inputs below.
func String(n Node) string {
	var sb strings.Builder
	printNode(&sb, n, "", "")
	return sb.String()
}

func printNode(sb *strings.Builder, n Node, lead, below string) {
	sb.WriteString(lead)
	sb.WriteString(Line(n))
	sb.WriteByte('\n')
	in := n.Inputs()
	for i, c := range in {
		if i < len(in)-1 {
			printNode(sb, c, below+" ├── ", below+" │   ")
		} else {
			printNode(sb, c, below+" └── ", below+"     ")
		}
	}
}

var joinNames = map[JoinKind]string{Inner: "inner-join", Left: "left-join", Right: "right-join", Full: "full-join", Semi: "semi-join", Anti: "anti-join"}

// Line prints one operator without its inputs.
func Line(n Node) string {
	switch n := n.(type) {
	case *Scan:
		if n.System {
			return "system-scan " + n.Name
		}
		return "scan " + n.Name
	case *Values:
		rows := make([]string, len(n.Rows))
		for i, r := range n.Rows {
			rows[i] = "(" + exprs(r) + ")"
		}
		return strings.TrimRight("values "+strings.Join(rows, ", "), " ")
	case *Filter:
		return "filter " + conjunction(n.Preds)
	case *Project:
		items := make([]string, len(n.Exprs))
		for i, e := range n.Exprs {
			items[i] = scalar.String(e)
			if c, ok := e.(*scalar.Column); !ok || c.Name != n.Names[i] {
				items[i] += " AS " + n.Names[i]
			}
		}
		return strings.TrimRight("project "+strings.Join(items, ", "), " ")
	case *Join:
		if len(n.On) == 0 && n.Kind == Inner {
			return "cross-join"
		}
		return strings.TrimRight(joinNames[n.Kind]+" "+conjunction(n.On), " ")
	case *GroupBy:
		items := make([]string, 0, len(n.Keys)+len(n.Aggs))
		for _, k := range n.Keys {
			items = append(items, scalar.String(k))
		}
		for _, a := range n.Aggs {
			items = append(items, scalar.AggString(a))
		}
		return strings.TrimRight("group-by "+strings.Join(items, ", "), " ")
	case *Distinct:
		return "distinct"
	case *Union:
		return "union-all"
	case *TopK:
		s := "top"
		if n.Limit != nil {
			s += " limit=" + scalar.String(n.Limit)
		}
		if n.Offset != nil {
			s += " offset=" + scalar.String(n.Offset)
		}
		if len(n.Keys) > 0 {
			s += " order=" + OrderString(n.Keys)
		}
		return s
	}
	panic(fmt.Sprintf("rel: printing %T", n))
}

// OrderString prints an ordering.
func OrderString(keys []SortKey) string {
	items := make([]string, len(keys))
	for i, k := range keys {
		items[i] = scalar.String(k.Expr)
		if k.Desc {
			items[i] += " DESC"
		}
		if k.NullsFirst != k.Desc {
			items[i] += map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[k.NullsFirst]
		}
	}
	return strings.Join(items, ", ")
}

func exprs(es []scalar.Expr) string {
	s := make([]string, len(es))
	for i, e := range es {
		s[i] = scalar.String(e)
	}
	return strings.Join(s, ", ")
}

func conjunction(preds []scalar.Expr) string {
	s := make([]string, len(preds))
	for i, e := range preds {
		s[i] = scalar.String(e)
	}
	return strings.Join(s, " AND ")
}

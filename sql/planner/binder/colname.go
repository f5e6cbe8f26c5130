package binder

import "github.com/helios-sql/helios-sql/sql/parser/ast"

// columnName is the name of a result column without AS, as PostgreSQL's
// FigureColname chooses it.
func columnName(e ast.Expr) string {
	if name, _ := figureName(e); name != "" {
		return name
	}
	return "?column?"
}

// figureName gives a name and how good it is: 0 none, 1 a type's or a
// construct's, 2 a column's or function's.
func figureName(e ast.Expr) (string, int) {
	switch e := e.(type) {
	case *ast.ColumnRef:
		if len(e.Parts) > 0 && !e.Star {
			return e.Parts[len(e.Parts)-1], 2
		}
	case *ast.FieldSelect:
		if !e.Star {
			return e.Name, 2
		}
	case *ast.Subscript:
		return figureName(e.X)
	case *ast.Call:
		return e.Name[len(e.Name)-1], 2
	case *ast.Cast:
		if name, strength := figureName(e.X); strength > 1 {
			return name, strength
		}
		return e.Type.Name[len(e.Type.Name)-1], 1
	case *ast.Collate:
		return figureName(e.X)
	case *ast.Case:
		if e.Else != nil {
			if name, strength := figureName(e.Else); strength > 1 {
				return name, strength
			}
		}
		return "case", 1
	case *ast.Array:
		return "array", 2
	case *ast.RowExpr:
		return "row", 2
	case *ast.Subquery:
		switch e.Kind {
		case ast.ExistsSubquery:
			return "exists", 2
		case ast.ArraySubquery:
			return "array", 2
		}
	}
	return "", 0
}

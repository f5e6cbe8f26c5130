package ast

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

var (
	constKinds    = [...]string{"null", "bool", "integer", "numeric", "string", "bit"}
	logicKinds    = [...]string{"and", "or", "not"}
	testKinds     = [...]string{"is null", "is not null", "is true", "is not true", "is false", "is not false", "is unknown", "is not unknown"}
	likeKinds     = [...]string{"like", "ilike", "similar to"}
	subqueryKinds = [...]string{"scalar", "exists", "any", "all", "array"}
	joinKinds     = [...]string{"inner", "left", "right", "full"}
)

func (k ConstKind) String() string    { return constKinds[k] }
func (k LogicKind) String() string    { return logicKinds[k] }
func (k TestKind) String() string     { return testKinds[k] }
func (k LikeKind) String() string     { return likeKinds[k] }
func (k SubqueryKind) String() string { return subqueryKinds[k] }
func (k JoinKind) String() string     { return joinKinds[k] }

const printWidth = 110

// Print gives a tree as an S-expression for golden files and EXPLAIN: each
// node's kind, @ and its position, then its fields that are not zero; lines are
// broken where one would be too long. It walks by reflection: not for hot paths.
func Print(node any) string {
	var sb strings.Builder
	item(reflect.ValueOf(node)).write(&sb, 0, 0)
	sb.WriteByte('\n')
	return sb.String()
}

// An sexp is an atom (no kids, head only) or ( head kids… ), or [ kids… ] with list set.
type sexp struct {
	head string
	kids []sexp
	list bool
	atom bool
}

// field says whether s is a field's name with its value.
func (s sexp) field() bool { return strings.HasSuffix(s.head, ":") && len(s.kids) == 1 && !s.atom }

func (s sexp) flat(sb *strings.Builder) {
	if s.atom {
		sb.WriteString(s.head)
		return
	}
	if s.field() {
		sb.WriteString(s.head)
		s.kids[0].flat(sb)
		return
	}
	begin, end := "(", ")"
	if s.list {
		begin, end = "[", "]"
	}
	sb.WriteString(begin + s.head)
	for i, k := range s.kids {
		if i > 0 || s.head != "" {
			sb.WriteByte(' ')
		}
		k.flat(sb)
	}
	sb.WriteString(end)
}

// write renders at an indentation, used characters into its line.
func (s sexp) write(sb *strings.Builder, indent, used int) {
	var one strings.Builder
	s.flat(&one)
	if s.atom || one.Len()+indent+used <= printWidth {
		sb.WriteString(one.String())
		return
	}
	begin, end := "(", ")"
	if s.list {
		begin, end = "[", "]"
	}
	sb.WriteString(begin + s.head)
	for _, k := range s.kids {
		sb.WriteString("\n" + strings.Repeat(" ", indent+2))
		if k.field() {
			sb.WriteString(k.head + " ")
			k.kids[0].write(sb, indent+2, len(k.head)+1)
			continue
		}
		k.write(sb, indent+2, 0)
	}
	sb.WriteString(end)
}

func atom(format string, args ...any) sexp {
	return sexp{head: fmt.Sprintf(format, args...), atom: true}
}

// item prints a value of any of the tree's types.
func item(v reflect.Value) sexp {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return atom("nil")
		}
		return item(v.Elem())
	case reflect.Slice:
		s := sexp{list: true}
		for i := range v.Len() {
			s.kids = append(s.kids, item(v.Index(i)))
		}
		return s
	case reflect.Struct:
		return structItem(v)
	case reflect.String:
		return atom("%s", strconv.Quote(v.String()))
	}
	if k, ok := v.Interface().(fmt.Stringer); ok {
		return atom("%s", k)
	}
	return atom("%v", v.Interface())
}

// structItem prints a node; the frequent leaves are spelled short.
func structItem(v reflect.Value) sexp {
	switch n := v.Interface().(type) {
	case ColumnRef:
		name := strings.Join(n.Parts, ".")
		if n.Star {
			name = strings.TrimPrefix(name+".*", ".")
		}
		return atom("%s@%d", quoteOdd(name), n.Pos)
	case Const:
		switch n.Kind {
		case NullConst:
			return atom("null@%d", n.Pos)
		case StringConst:
			return atom("'%s'@%d", strings.Trim(strconv.Quote(n.Text), `"`), n.Pos)
		case BitConst:
			return atom("%s'%s'@%d", n.Text[:1], n.Text[1:], n.Pos)
		case IntegerConst:
			return atom("%s@%d", n.Text, n.Pos)
		}
		return atom("%s:%s@%d", n.Kind, n.Text, n.Pos)
	case Param:
		return atom("$%d@%d", n.N, n.Pos)
	case Default:
		return atom("default@%d", n.Pos)
	}
	s := sexp{head: v.Type().Name()}
	for i := range v.NumField() {
		f, fv := v.Type().Field(i), v.Field(i)
		if f.Anonymous {
			s.head += fmt.Sprintf("@%d", fv.Int())
			continue
		}
		_, named := fv.Interface().(fmt.Stringer)
		if fv.IsZero() && !named || fv.Kind() == reflect.Slice && fv.Len() == 0 {
			continue
		}
		switch {
		case f.Name == "Kind" || named:
			s.kids = append(s.kids, atom("%s", strings.Trim(item(fv).head, `"`)))
		case fv.Kind() == reflect.Bool:
			s.kids = append(s.kids, atom("%s", strings.ToLower(f.Name)))
		default:
			s.kids = append(s.kids, field(f.Name, fv))
		}
	}
	return s
}

func field(name string, v reflect.Value) sexp {
	k := item(v)
	name = strings.ToLower(name) + ":"
	if k.atom {
		return atom("%s%s", name, k.head)
	}
	return sexp{head: name, kids: []sexp{k}}
}

// quoteOdd quotes a name that would be hard to tell from the syntax around it.
func quoteOdd(s string) string {
	if s == "" || strings.ContainsAny(s, " ()[]@:'\"\n\t") || strings.ToLower(s) != s {
		return strconv.Quote(s)
	}
	return s
}

package op_test

import (
	"errors"
	"testing"

	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// counted counts what is written to an arrangement.
type counted struct {
	*op.Memory
	writes int
}

func (c *counted) Set(key, value []byte) error { c.writes++; return c.Memory.Set(key, value) }
func (c *counted) Delete(key []byte) error     { c.writes++; return c.Memory.Delete(key) }

// An index is written when a key comes, goes or changes, and not otherwise; and
// a row is what the relation has under the key.
func TestKeyIndex(t *testing.T) {
	tInt := types.T(types.Int4)
	row := func(vs ...int64) (r types.Row) {
		for _, v := range vs {
			r = types.AppendDatum(r, types.Int4, types.DInt(v))
		}
		return r
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// The relation is (id, amount, customer), the input (customer, amount, id) by customer.
	relation, keys := op.NewBaseEncoder([]types.Type{tInt, tInt, tInt}, []int{0}), op.NewBaseEncoder([]types.Type{tInt}, []int{0})
	base, index, errs := op.NewMemory(nil), &counted{Memory: op.NewMemory(nil)}, op.NewMemory(nil)
	in := []types.Type{tInt, tInt, tInt}
	x, err := op.NewKeyIndex(in, []int{0}, []int{2}, func(part string) (op.Arrangement, error) {
		if part == "errs" {
			return errs, nil
		}
		return index, nil
	})
	must(err)
	type order struct{ id, amount, customer, w int64 }
	tick := func(writes int, orders ...order) {
		t.Helper()
		var d, out op.Delta
		for _, o := range orders {
			d.Rows.Append(row(o.customer, o.amount, o.id), o.w)
			k, v := relation.Encode(row(o.id, o.amount, o.customer))
			if o.w > 0 {
				must(base.Set(k, v))
			}
		}
		before := index.writes
		must(x.Eval([]*op.Delta{&d}, &out))
		if n := index.writes - before; n != writes {
			t.Errorf("%v: %d writes, want %d", orders, n, writes)
		}
		if out.Rows.Len() != len(orders) {
			t.Errorf("%v: %d rows out", orders, out.Rows.Len())
		}
		must(base.Commit())
		must(index.Commit())
	}
	joined := &op.Indexed{Arrangement: index, Types: in, Key: []int{0}, Rows: base, Cols: []int{2, 1, 0}}
	of := func(customer int64, want ...types.Row) error {
		t.Helper()
		cur, err := joined.Cursor()
		must(err)
		k, _ := keys.Encode(row(customer))
		n := 0
		for ok := cur.Seek(append([]byte(nil), k...)); ok; ok = cur.Next() {
			if have := types.Row(cur.Value()); n >= len(want) || string(have) != string(want[n]) {
				t.Errorf("customer %d: row %d is %x, want %x", customer, n, have, want)
			}
			n++
		}
		if n != len(want) {
			t.Errorf("customer %d: %d rows, want %d", customer, n, len(want))
		}
		return cur.Close()
	}
	tick(2, order{1, 10, 7, 1}, order{2, 20, 7, 1})
	must(of(7, row(7, 10, 1), row(7, 20, 2)))
	tick(0, order{1, 10, 7, -1}, order{1, 11, 7, 1})
	must(of(7, row(7, 11, 1), row(7, 20, 2)))
	tick(2, order{1, 11, 7, -1}, order{1, 11, 8, 1})
	must(of(7, row(7, 20, 2)))
	must(of(8, row(8, 11, 1)))
	tick(1, order{2, 20, 7, -1})
	must(of(7))

	k, _ := relation.Encode(row(1, 0, 0))
	must(base.Delete(k))
	must(base.Commit())
	var coded *pgerr.Error
	if err := of(8, make(types.Row, 3)); !errors.As(err, &coded) || coded.Code != pgerr.DataCorrupted {
		t.Errorf("a row that is not there: %v", err)
	}
}

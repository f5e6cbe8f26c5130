package circuit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/helios-sql/helios-sql/sql/exec/internal/exectest"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// BenchmarkJoinGroupBy runs updates of orders through
//
//	SELECT c.name, count(*), sum(o.amount) FROM orders o JOIN customers c ON o.customer = c.id GROUP BY c.name
//
// over states in memory; one operation is one change.
func BenchmarkJoinGroupBy(b *testing.B) {
	for _, perTick := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("tick=%d", perTick), func(b *testing.B) { benchJoinGroupBy(b, perTick) })
	}
}

func benchJoinGroupBy(b *testing.B, perTick int) {
	const orders, customers = 100_000, 1_000
	tabs := []exectest.Table{
		{Rel: 1, Name: "orders", Key: []int{0}, Cols: types.Schema{{Name: "id", Type: tInt, NotNull: true}, {Name: "customer", Type: tInt, NotNull: true}, {Name: "amount", Type: tNumeric}, {Name: "note", Type: tText}}},
		{Rel: 2, Name: "customers", Key: []int{0}, Cols: types.Schema{{Name: "id", Type: tInt, NotNull: true}, {Name: "name", Type: tText}}},
	}
	col := func(i int, t types.Type) scalar.Expr {
		return &scalar.Column{Index: i, Typ: t, Name: fmt.Sprint("c", i)}
	}
	join := &rel.Join{
		L:  &rel.Scan{ID: 1, Name: "orders", Cols: tabs[0].Cols, Key: []int{0}},
		R:  &rel.Scan{ID: 2, Name: "customers", Cols: tabs[1].Cols, Key: []int{0}},
		On: []scalar.Expr{call("int4eq(int4,int4)", col(1, tInt), col(4, tInt))},
	}
	group := &rel.GroupBy{Input: join, Keys: []scalar.Expr{col(5, tText)}, Names: []string{"name", "n", "total"}, Aggs: []scalar.Agg{
		{Fn: scalar.AggByID("count(*)"), Typ: types.T(types.Int8)},
		{Fn: scalar.AggByID("sum(numeric)"), Args: []scalar.Expr{col(2, tNumeric)}, Typ: tNumeric},
	}}
	pb := physical.NewBuilder(memo.New(), false)
	in, err := pb.Build(group)
	if err != nil {
		b.Fatal(err)
	}
	run, err := exectest.NewRun(tabs, pb.Sink(in), in)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	order := func(dst []byte, id int) types.Row {
		dst = types.AppendFixed4(dst, uint32(id))
		dst = types.AppendFixed4(dst, uint32(rng.IntN(customers)))
		dst = types.AppendHeader(dst, 0)
		off := len(dst)
		dst = types.AppendNumericSmall(dst, int64(rng.IntN(100_000)), 2)
		dst[off-1] = byte(len(dst) - off + 2)
		return types.AppendValue(dst, []byte("some sixty bytes of a note, as a real order would have them"))
	}
	changes := map[uint32]*zset.Changes{1: {}, 2: {}}
	for i := range customers {
		row := types.AppendValue(types.AppendFixed4(nil, uint32(i)), fmt.Appendf(nil, "customer %d", i))
		changes[2].Append(zset.Insert, zset.OldNone, nil, row)
	}
	for i := range orders {
		changes[1].Append(zset.Insert, zset.OldNone, nil, order(nil, i))
	}
	step := func() {
		if err := run.Circuit.Step(changes); err != nil {
			b.Fatal(err)
		}
		if err := run.Store.Commit(); err != nil {
			b.Fatal(err)
		}
		changes[1].Reset()
	}
	step()
	changes[2].Reset()
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += perTick {
		for range perTick {
			buf := changes[1].Begin()
			mid := len(buf)
			changes[1].End(order(buf, rng.IntN(orders)), mid, zset.Update, zset.OldNone)
		}
		step()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

package op

import (
	"encoding/binary"
	"math"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An intervalAcc is sum or avg of intervals. State: their number and the
// exact sum of each field.
type intervalAcc struct {
	avg             bool
	n, days, months int64
	micros          int128
}

func (a *intervalAcc) reset() { *a = intervalAcc{avg: a.avg} }

func (a *intervalAcc) load(s []byte) {
	for _, p := range []*int64{&a.n, &a.days, &a.months} {
		v, k := binary.Varint(s)
		*p, s = v, s[k:]
	}
	a.micros.load(s)
}

func (a *intervalAcc) save(dst []byte) []byte {
	dst = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(dst, a.n), a.days), a.months)
	return a.micros.save(dst)
}

func (a *intervalAcc) add(payload []byte, w int64) {
	v := types.DecodeInterval(payload)
	a.n += w
	a.days += int64(v.Days) * w
	a.months += int64(v.Months) * w
	a.micros.addMul(v.Micros, w)
}

func (a *intervalAcc) result(dst []byte) ([]byte, error) {
	if a.n == 0 {
		return types.AppendNull(dst), nil
	}
	v := types.IntervalValue{Days: int32(a.days), Months: int32(a.months)}
	var ok bool
	v.Micros, ok = a.micros.int64()
	if ok = ok && int64(v.Days) == a.days && int64(v.Months) == a.months; ok && a.avg {
		v, ok = divideInterval(v, float64(a.n))
	}
	if !ok {
		return dst, pgerr.Newf(pgerr.DatetimeFieldOverflow, "interval out of range")
	}
	return types.AppendInterval(types.AppendHeader(dst, 16), v), nil
}

// divideInterval is interval / double precision: fractions of months become
// days, those of days become time, rounded to microseconds where PostgreSQL rounds.
func divideInterval(v types.IntervalValue, by float64) (types.IntervalValue, bool) {
	const secsPerDay, daysPerMonth, microsPerSec = 86400, 30, 1e6
	round := func(f float64) float64 { return math.RoundToEven(f*microsPerSec) / microsPerSec }
	out := types.IntervalValue{
		Months: int32(float64(v.Months) / by),
		Days:   int32(float64(v.Days) / by),
	}
	fromMonths := round((float64(v.Months)/by - float64(out.Months)) * daysPerMonth)
	secs := (float64(v.Days)/by - float64(out.Days) + fromMonths - math.Trunc(fromMonths)) * secsPerDay
	secs = round(secs)
	if math.Abs(secs) >= secsPerDay {
		whole := math.Trunc(secs / secsPerDay)
		out.Days += int32(whole)
		secs -= whole * secsPerDay
	}
	out.Days += int32(fromMonths)
	micros := math.RoundToEven(float64(v.Micros)/by + secs*microsPerSec)
	if micros < math.MinInt64 || micros >= math.MaxInt64 {
		return out, false
	}
	out.Micros = int64(micros)
	return out, true
}

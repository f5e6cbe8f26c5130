package eval

import (
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A moment is a date and time as to_char prints it.
type moment struct {
	year, month, day int // astronomical year; of an interval its years
	days             int // since 2000-01-01
	hour, min, sec   int64
	us               int64
	interval         bool
	zone             *time.Location // nil: none
	abbrev           string
	east             int // seconds
}

func charTimestamp(f *Frame, a, p types.Datum, zone *time.Location) (types.Datum, error) {
	if len(p.B) == 0 || timestampInfinite(a.I) {
		return types.NullDatum, nil
	}
	m := moment{zone: zone}
	local := a.I
	if zone != nil {
		m.east = types.UTCOffset(zone, a.I)
		local += int64(m.east) * usecsPerSec
		m.abbrev, _ = time.UnixMicro(a.I + epochMicros).In(zone).Zone()
	}
	days, us := types.SplitTimestamp(local)
	m.days = days
	m.year, m.month, m.day = types.CivilFromDays(days)
	m.setTime(us)
	return f.keepErr(m.format(f.out(), p.B))
}

func charInterval(f *Frame, a, p types.Datum) (types.Datum, error) {
	if len(p.B) == 0 {
		return types.NullDatum, nil
	}
	v := types.DecodeInterval(a.B)
	m := moment{interval: true, year: int(v.Months / 12), month: int(v.Months % 12), day: int(v.Days)}
	m.setTime(v.Micros)
	return f.keepErr(m.format(f.out(), p.B))
}

func (m *moment) setTime(us int64) {
	m.hour, m.min, m.sec, m.us = us/usecsPerHour, us/usecsPerMin%60, us/usecsPerSec%60, us%usecsPerSec
}

// charKeywords are the patterns of dates, each before those that are its prefixes.
var charKeywords = strings.Fields(`A.D. A.M. AD AM B.C. BC CC DAY DDD DD DY Day Dy D FF1 FF2 FF3 FF4 FF5 FF6
	HH24 HH12 HH IDDD ID IW IYYY IYY IY I J MI MM MONTH MON MS Month Mon OF P.M. PM Q RM SSSSS SSSS SS TZH TZM TZ US WW W Y,YYY YYYY YYY YY Y
	a.d. a.m. ad am b.c. bc cc day ddd dd dy d ff1 ff2 ff3 ff4 ff5 ff6 hh24 hh12 hh iddd id iw iyyy iyy iy i j mi mm month mon ms of p.m. pm q rm
	sssss ssss ss tzh tzm tz us ww w y,yyy yyyy yyy yy y`)

var monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}

var dayNames = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

var romanMonths = [...]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}

// format appends the moment as a pattern asks.
func (m *moment) format(dst, pattern []byte) ([]byte, error) {
	p := string(pattern)
	for len(p) > 0 {
		switch p[0] {
		case '"':
			i := 1
			for ; i < len(p) && p[i] != '"'; i++ {
				if p[i] == '\\' && i+1 < len(p) {
					i++
				}
				dst = append(dst, p[i])
			}
			p = p[min(i+1, len(p)):]
			continue
		case '\\':
			if len(p) > 1 && p[1] == '"' {
				p = p[1:]
			}
			dst, p = append(dst, p[0]), p[1:]
			continue
		}
		fill, prefixed := true, false
		rest := p
		for {
			switch {
			case strings.HasPrefix(rest, "FM") || strings.HasPrefix(rest, "fm"):
				rest, fill, prefixed = rest[2:], false, true
				continue
			case strings.HasPrefix(rest, "TM") || strings.HasPrefix(rest, "tm"), strings.HasPrefix(rest, "FX") || strings.HasPrefix(rest, "fx"):
				rest, prefixed = rest[2:], true
				continue
			}
			break
		}
		word := ""
		for _, k := range charKeywords {
			if strings.HasPrefix(rest, k) {
				word = k
				break
			}
		}
		if word == "" {
			if prefixed {
				p = rest
				continue
			}
			w := runeOffset([]byte(p), 1)
			dst, p = append(dst, p[:w]...), p[w:]
			continue
		}
		rest = rest[len(word):]
		start := len(dst)
		var err error
		if dst, err = m.field(dst, word, fill); err != nil {
			return dst, err
		}
		if th := rest[:min(2, len(rest))]; strings.EqualFold(th, "TH") {
			dst, rest = appendOrdinal(dst, start, th == "TH"), rest[2:]
		}
		if strings.HasPrefix(rest, "SP") || strings.HasPrefix(rest, "sp") {
			rest = rest[2:]
		}
		p = rest
	}
	return dst, nil
}

// appendOrdinal appends th, st, nd or rd to the number at start, if one is there.
func appendOrdinal(dst []byte, start int, upper bool) []byte {
	n := len(dst)
	if n == start || dst[n-1] < '0' || dst[n-1] > '9' {
		return dst
	}
	th := "th"
	if teen := n-start >= 2 && dst[n-2] == '1'; !teen {
		switch dst[n-1] {
		case '1':
			th = "st"
		case '2':
			th = "nd"
		case '3':
			th = "rd"
		}
	}
	if upper {
		th = strings.ToUpper(th)
	}
	return append(dst, th...)
}

// field appends one keyword's value.
func (m *moment) field(dst []byte, word string, fill bool) ([]byte, error) {
	num := func(v int64, width int) ([]byte, error) {
		if !fill {
			width = 0
		}
		return appendPadded(dst, v, width), nil
	}
	text := func(s string, width int) ([]byte, error) {
		dst = append(dst, s...)
		if fill {
			for range width - len(s) {
				dst = append(dst, ' ')
			}
		}
		return dst, nil
	}
	signed := func(v int64, width int) ([]byte, error) { // a sign comes on top of the width
		if v < 0 {
			width++
		}
		return num(v, width)
	}
	switch strings.ToUpper(word) {
	case "HH24":
		return signed(m.hour, 2)
	case "HH", "HH12":
		h := m.hour % 12
		if h == 0 {
			h = 12
		}
		return signed(h, 2)
	case "MI":
		return signed(m.min, 2)
	case "SS":
		return signed(m.sec, 2)
	case "MS", "FF3":
		return appendPadded(dst, m.us/1000, 3), nil
	case "US", "FF6":
		return appendPadded(dst, m.us, 6), nil
	case "FF1":
		return appendPadded(dst, m.us/100000, 1), nil
	case "FF2":
		return appendPadded(dst, m.us/10000, 2), nil
	case "FF4":
		return appendPadded(dst, m.us/100, 4), nil
	case "FF5":
		return appendPadded(dst, m.us/10, 5), nil
	case "SSSS", "SSSSS":
		return num(m.hour*3600+m.min*60+m.sec, 0)
	case "AM", "PM", "A.M.", "P.M.":
		return text(likeCase(word, pick(m.hour%24 >= 12, "PM", "AM")), 0)
	}
	if m.interval {
		return m.intervalField(dst, word, num, signed)
	}
	return m.dateField(dst, word, num, text)
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

// likeCase gives a two-letter mark the dots and case of the pattern's.
func likeCase(word, mark string) string {
	if len(word) == 4 {
		mark = mark[:1] + "." + mark[1:] + "."
	}
	if word[0] >= 'a' {
		return strings.ToLower(mark)
	}
	return mark
}

// named writes a name in the case of its pattern: MONTH, Month or month.
func named(word, name string) string {
	switch {
	case word[0] >= 'a':
		return strings.ToLower(name)
	case word[1] < 'a':
		return strings.ToUpper(name)
	}
	return name
}

func (m *moment) dateField(dst []byte, word string, num func(int64, int) ([]byte, error), text func(string, int) ([]byte, error)) ([]byte, error) {
	year := int64(m.year)
	if m.year <= 0 {
		year = int64(1 - m.year)
	}
	doy := int64(m.days - types.DaysFromCivil(m.year, 1, 1) + 1)
	isoYear, isoWeekNo := isoWeek(m.days)
	dow := int64(weekday(m.days))
	if word[0] == 'I' || word[0] == 'i' {
		if year = int64(isoYear); isoYear <= 0 {
			year = int64(1 - isoYear)
		}
	}
	switch strings.ToUpper(word) {
	case "AD", "BC", "A.D.", "B.C.":
		return text(likeCase(word, pick(m.year <= 0, "BC", "AD")), 0)
	case "YYYY", "IYYY":
		return num(year, 4)
	case "YYY", "IYY":
		return num(year%1000, 3)
	case "YY", "IY":
		return num(year%100, 2)
	case "Y", "I":
		return num(year%10, 1)
	case "Y,YYY":
		dst = appendPadded(dst, year/1000, 0)
		return appendPadded(append(dst, ','), year%1000, 3), nil
	case "CC":
		c, _ := dayField("century", m.days)
		if c.coef < 0 {
			return num(c.coef, 3)
		}
		return num(c.coef, 2)
	case "MONTH":
		return text(named(word, monthNames[m.month-1]), 9)
	case "MON":
		return text(named(word, monthNames[m.month-1][:3]), 0)
	case "MM":
		return num(int64(m.month), 2)
	case "RM":
		return text(named(word+word, romanMonths[m.month-1]), 4)
	case "DAY":
		return text(named(word, dayNames[dow]), 9)
	case "DY":
		return text(named(word, dayNames[dow][:3]), 0)
	case "DDD":
		return num(doy, 3)
	case "IDDD":
		return num(int64(isoWeekNo-1)*7+(dow+6)%7+1, 3)
	case "DD":
		return num(int64(m.day), 2)
	case "D":
		return num(dow+1, 0)
	case "ID":
		return num((dow+6)%7+1, 0)
	case "WW":
		return num((doy-1)/7+1, 2)
	case "IW":
		return num(int64(isoWeekNo), 2)
	case "W":
		return num(int64(m.day-1)/7+1, 0)
	case "Q":
		return num(int64(m.month-1)/3+1, 0)
	case "J":
		return num(int64(m.days+julianEpoch), 0)
	}
	return m.zoneField(dst, word)
}

// zoneField appends TZ, TZH, TZM or OF; of a timestamp without zone TZ is empty, the others zero.
func (m *moment) zoneField(dst []byte, word string) ([]byte, error) {
	off := m.east
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	switch strings.ToUpper(word) {
	case "TZ":
		return append(dst, named(word, m.abbrev)...), nil
	case "TZH":
		return appendPadded(append(dst, sign), int64(off/3600), 2), nil
	case "TZM":
		return appendPadded(dst, int64(off/60%60), 2), nil
	}
	dst = appendPadded(append(dst, sign), int64(off/3600), 2)
	if off/60%60 != 0 {
		dst = appendPadded(append(dst, ':'), int64(off/60%60), 2)
	}
	return dst, nil
}

func (m *moment) intervalField(dst []byte, word string, num, signed func(int64, int) ([]byte, error)) ([]byte, error) {
	switch strings.ToUpper(word) {
	case "YYYY", "IYYY":
		return signed(int64(m.year), 4)
	case "MM":
		return signed(int64(m.month), 2)
	case "DD":
		return num(int64(m.day), 2)
	case "DDD":
		return num(int64(m.year*12+m.month)*30+int64(m.day), 3)
	}
	return dst, pgerr.Unsupported(0, "the pattern \"%s\" in to_char of an interval", word)
}

package types

// Fields of a date and time that an input has set so far, as bits.
type fieldSet uint16

const (
	fieldYear fieldSet = 1 << iota
	fieldMonth
	fieldDay
	fieldDOY
	fieldHour
	fieldMinute
	fieldSecond
	fieldZone
	fieldDST
	fieldAMPM
	fieldADBC
	fieldDOW

	fieldsDate = fieldYear | fieldMonth | fieldDay
	fieldsTime = fieldHour | fieldMinute | fieldSecond
)

// What a word in a date means.
type wordKind byte

const (
	wordNone wordKind = iota
	wordIgnore
	wordMonth    // value: 1 to 12
	wordDOW      // a day of the week, read over
	wordAM       // value: 12 if pm
	wordADBC     // value: 1 if bc
	wordDST      // an hour of daylight saving on the zone before
	wordNow      // the transaction's time
	wordDay      // today and the days around it; value: the difference
	wordMidnight // allballs
	wordEpoch
	wordInfinity // value: the sign
	wordISOTime  // t before a time
	wordJulian   // j before a Julian day
	wordUnit     // a unit before a number
)

type dateWord struct {
	kind  wordKind
	value int
}

var dateWords = map[string]dateWord{
	"jan": {wordMonth, 1}, "january": {wordMonth, 1}, "feb": {wordMonth, 2}, "february": {wordMonth, 2},
	"mar": {wordMonth, 3}, "march": {wordMonth, 3}, "apr": {wordMonth, 4}, "april": {wordMonth, 4},
	"may": {wordMonth, 5}, "jun": {wordMonth, 6}, "june": {wordMonth, 6}, "jul": {wordMonth, 7}, "july": {wordMonth, 7},
	"aug": {wordMonth, 8}, "august": {wordMonth, 8}, "sep": {wordMonth, 9}, "sept": {wordMonth, 9}, "september": {wordMonth, 9},
	"oct": {wordMonth, 10}, "october": {wordMonth, 10}, "nov": {wordMonth, 11}, "november": {wordMonth, 11},
	"dec": {wordMonth, 12}, "december": {wordMonth, 12},
	"sun": {kind: wordDOW}, "sunday": {kind: wordDOW}, "mon": {kind: wordDOW}, "monday": {kind: wordDOW},
	"tue": {kind: wordDOW}, "tues": {kind: wordDOW}, "tuesday": {kind: wordDOW},
	"wed": {kind: wordDOW}, "weds": {kind: wordDOW}, "wednesday": {kind: wordDOW},
	"thu": {kind: wordDOW}, "thur": {kind: wordDOW}, "thurs": {kind: wordDOW}, "thursday": {kind: wordDOW},
	"fri": {kind: wordDOW}, "friday": {kind: wordDOW}, "sat": {kind: wordDOW}, "saturday": {kind: wordDOW},
	"am": {wordAM, 0}, "pm": {wordAM, 12}, "ad": {wordADBC, 0}, "bc": {wordADBC, 1},
	"at": {kind: wordIgnore}, "on": {kind: wordIgnore}, "dst": {kind: wordDST},
	"now": {kind: wordNow}, "yesterday": {wordDay, -1}, "today": {wordDay, 0}, "tomorrow": {wordDay, 1},
	"allballs": {kind: wordMidnight}, "epoch": {kind: wordEpoch},
	"infinity": {wordInfinity, 1}, "-infinity": {wordInfinity, -1},
	"t": {kind: wordISOTime}, "j": {kind: wordJulian}, "jd": {kind: wordJulian}, "julian": {kind: wordJulian},
	"d": {kind: wordUnit}, "h": {kind: wordUnit}, "m": {kind: wordUnit}, "mm": {kind: wordUnit}, "s": {kind: wordUnit},
	"y": {kind: wordUnit}, "dow": {kind: wordUnit}, "doy": {kind: wordUnit}, "isodow": {kind: wordUnit}, "isoyear": {kind: wordUnit},
}

package wire

import "time"

const (
	weekdays = "SunMonTueWedThuFriSat"
	months   = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

func appendDigits(b []byte, n, width int) []byte {
	for unit := [...]int{1, 10, 100, 1000}[width-1]; unit > 0; unit /= 10 {
		b = append(b, byte('0'+n/unit%10))
	}
	return b
}

// AppendDate appends a time in Unix seconds as "Mon, 28 Sep 1970 06:00:00 GMT"
// (ngx_http_time).
func AppendDate(b []byte, unix int64) []byte {
	t := time.Unix(unix, 0).UTC()
	year, month, day := t.Date()
	b = appendWeekday(b, t)
	b = appendDigits(b, day, 2)
	b = append(b, ' ')
	b = append(b, months[month*3-3:month*3]...)
	b = append(b, ' ')
	b = appendDigits(b, year, 4)
	return appendClock(b, t)
}

// AppendCookieDate appends "Mon, 28-Sep-70 06:00:00 GMT", with all digits of
// the years after 2037 (ngx_http_cookie_time).
func AppendCookieDate(b []byte, unix int64) []byte {
	t := time.Unix(unix, 0).UTC()
	year, month, day := t.Date()
	b = appendWeekday(b, t)
	b = appendDigits(b, day, 2)
	b = append(b, '-')
	b = append(b, months[month*3-3:month*3]...)
	b = append(b, '-')
	if year > 2037 {
		b = appendDigits(b, year, 4)
	} else {
		b = appendDigits(b, year%100, 2)
	}
	return appendClock(b, t)
}

func appendWeekday(b []byte, t time.Time) []byte {
	day := t.Weekday() * 3
	b = append(b, weekdays[day:day+3]...)
	return append(b, ", "...)
}

func appendClock(b []byte, t time.Time) []byte {
	hour, minute, second := t.Clock()
	b = append(b, ' ')
	b = appendDigits(b, hour, 2)
	b = append(b, ':')
	b = appendDigits(b, minute, 2)
	b = append(b, ':')
	b = appendDigits(b, second, 2)
	return append(b, " GMT"...)
}

// ParseDate reads a date in one of the three forms of RFC 9110, section 5.6.7,
// and returns Unix seconds, as leniently as ngx_parse_http_time: the day's name
// is any word, a month is told by the letters that distinguish it, day 0 is
// allowed, and the time zone and whatever follows are not looked at.
func ParseDate(value []byte) (unix int64, ok bool) {
	d := dateParser{s: value, ok: true}
	asctime := d.weekday()
	var year, month, day int
	if asctime {
		month = d.month()
		d.advance(1)
		if d.at(0) == ' ' {
			d.advance(1)
		}
		day = d.asctimeDay()
		if len(d.s) < len(" 23:50:13 2002") {
			return 0, false
		}
	} else {
		day = d.digits(2)
		sep := d.next()
		if sep == ' ' && len(d.s) < len("Nov 2002 23:50:13") {
			return 0, false
		}
		month = d.month()
		d.expect(sep)
		switch sep {
		case ' ':
			year = d.digits(4)
		case '-':
			if year = d.digits(2); year < 70 {
				year += 100
			}
			year += 1900
		default:
			return 0, false
		}
	}
	d.expect(' ')
	hour := d.digits(2)
	d.expect(':')
	minute := d.digits(2)
	d.expect(':')
	second := d.digits(2)
	if asctime {
		d.expect(' ')
		year = d.digits(4)
	}
	if !d.ok || hour > 23 || minute > 59 || second > 59 || !validDay(year, month, day) {
		return 0, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).Unix(), true
}

func validDay(year, month, day int) bool {
	if day == 29 && month == 2 {
		return year%4 == 0 && (year%100 != 0 || year%400 == 0)
	}
	return day <= [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

// dateParser reads what is left of a date; bytes after its end are NUL.
type dateParser struct {
	s  []byte
	ok bool
}

func (d *dateParser) at(i int) byte {
	if i < len(d.s) {
		return d.s[i]
	}
	return 0
}

func (d *dateParser) advance(n int) { d.s = d.s[min(n, len(d.s)):] }

func (d *dateParser) next() byte {
	c := d.at(0)
	d.advance(1)
	return c
}

func (d *dateParser) expect(c byte) {
	if d.next() != c {
		d.ok = false
	}
}

func (d *dateParser) digits(n int) int {
	value := 0
	for range n {
		c := d.next() - '0'
		if c > 9 {
			d.ok = false
		}
		value = value*10 + int(c)
	}
	return value
}

// weekday skips the first word; it is followed by a comma except in the
// format of asctime. The rest must have a date's length.
func (d *dateParser) weekday() (asctime bool) {
	i := 0
	for i < len(d.s) && d.s[i] != ',' && d.s[i] != ' ' {
		i++
	}
	asctime = d.at(i) == ' '
	d.advance(i + 1)
	for d.at(0) == ' ' {
		d.advance(1)
	}
	if len(d.s) < len("10 Nov 02 23:50:13") {
		d.ok = false
	}
	return asctime
}

func (d *dateParser) asctimeDay() int {
	day := d.digits(1)
	if d.at(0) != ' ' {
		day = day*10 + d.digits(1)
	}
	return day
}

// month reads three letters, of which it looks at as few as possible; 1 is
// January.
func (d *dateParser) month() int {
	second, third := d.at(1), d.at(2)
	first := d.next()
	d.advance(2)
	switch first {
	case 'J':
		switch {
		case second == 'a':
			return 1
		case third == 'n':
			return 6
		}
		return 7
	case 'F':
		return 2
	case 'M':
		if third == 'r' {
			return 3
		}
		return 5
	case 'A':
		if second == 'p' {
			return 4
		}
		return 8
	case 'S':
		return 9
	case 'O':
		return 10
	case 'N':
		return 11
	case 'D':
		return 12
	}
	d.ok = false
	return 1
}

package shm

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// The allocator hands out chunks of the powers of two from 8 to 2048 bytes,
// many from one page, and runs of whole pages for everything larger. A page
// whose chunks are all free is a free page again. This is nginx's scheme, and
// the pages of a zone are as many as nginx makes of the same size, so that
// what counts free pages (ngx.shared.DICT:free_space) and what a zone holds
// before it evicts come out the same.

const (
	minShift = 3
	maxShift = pageShift - 1
	classes  = maxShift - minShift + 1

	// slabOverhead and pageOverhead are what nginx spends on bookkeeping, in
	// bytes per zone and per page (ngx_slab_init on 64-bit machines). The
	// structures here are smaller and live in that space.
	slabOverhead = 704
	pageOverhead = 24

	// descriptors is where the page descriptors start.
	descriptors = 512
)

// The header must leave room before the descriptors, and the descriptors be
// no larger than nginx's.
var (
	_ [descriptors - unsafe.Sizeof(header{})]byte
	_ [pageOverhead - unsafe.Sizeof(page{})]byte
)

// slabHeader is the allocator's part of the zone header. Pages are numbered
// from 1 in lists, 0 ending them.
type slabHeader struct {
	start     uint64          // offset of page 1
	pages     uint32          // how many there are
	freePages uint32          // how many of them are in free runs
	runs      uint32          // list of free runs
	partial   [classes]uint32 // lists of pages with free chunks, by class
}

// page describes one page, or a run by its first and last.
type page struct {
	next, prev uint32 // in slabHeader.runs or .partial
	run        uint32 // pages in the run; chunked: chunks in use
	free       uint16 // chunked: first free chunk + 1, linked through the chunks
	kind       pageKind
	shift      uint8 // chunked: log2 of the chunk size
}

type pageKind uint8

const (
	inRun   pageKind = iota // within a run, or the end of a used one
	freeRun                 // first page of a free run
	freeEnd                 // last page of a free run of two pages or more
	usedRun                 // first page of an allocated run
	chunked                 // divided into chunks
)

// formatSlab makes all pages of the zone one free run.
func (z *Zone) formatSlab() {
	// Divide what is left, then give up pages that alignment pushed out.
	size := uint64(len(z.mem))
	pages := (size - slabOverhead) / (PageSize + pageOverhead)
	start := (slabOverhead + pages*pageOverhead + PageSize - 1) &^ (PageSize - 1)
	pages = min(pages, (size-start)>>pageShift)

	z.hdr.slab = slabHeader{start: start, pages: uint32(pages)}
	z.bind()
	clear(z.pages)
	if pages > 0 {
		z.linkRun(1, uint32(pages))
	}
}

// FreePages returns the number of wholly free pages.
func (z *Zone) FreePages() int { return int(z.hdr.slab.freePages) }

// Pages returns the number of pages of the zone.
func (z *Zone) Pages() int { return int(z.hdr.slab.pages) }

// Alloc returns the place of n bytes, or 0 when the zone has no room for
// them. The bytes hold anything. The lock must be held.
func (z *Zone) Alloc(n int) Ptr {
	z.Begin()
	p := z.alloc(n)
	z.End()
	return p
}

// Calloc is Alloc with the bytes zeroed.
func (z *Zone) Calloc(n int) Ptr {
	p := z.Alloc(n)
	if p != 0 {
		clear(z.Bytes(p, n))
	}
	return p
}

// Free gives back what Alloc returned. It panics when p is not the place of
// something allocated. The lock must be held.
func (z *Zone) Free(p Ptr) {
	z.Begin()
	z.free(p)
	z.End()
}

func (z *Zone) alloc(n int) Ptr {
	switch {
	case n < 0 || n > len(z.mem):
		return 0
	case n > 1<<maxShift:
		first := z.allocRun(uint32((n + PageSize - 1) >> pageShift))
		if first == 0 {
			return 0
		}
		return z.pagePtr(first)
	}
	shift := max(minShift, bits.Len(uint(max(n, 1)-1)))
	number := z.hdr.slab.partial[shift-minShift]
	if number == 0 {
		if number = z.allocRun(1); number == 0 {
			return 0
		}
		z.divide(number, shift)
	}
	return z.takeChunk(number)
}

// bitmapChunks is how many chunks of a page hold nginx's bitmap of them. It has room elsewhere for that of chunks of
// 64 bytes and more. They are left unused, so that a page holds as many chunks as nginx's.
func bitmapChunks(shift int) int {
	if shift >= 6 {
		return 0
	}
	return max(1, PageSize>>shift/(8<<shift))
}

// divide makes a page one of chunks of 1<<shift bytes, all of them free.
func (z *Zone) divide(number uint32, shift int) {
	d := &z.pages[number-1]
	*d = page{kind: chunked, shift: uint8(shift), free: 1}
	count := uint16(PageSize>>shift - bitmapChunks(shift))
	for i := uint16(1); i <= count; i++ {
		next := i + 1
		if i == count {
			next = 0
		}
		*z.chunk(number, i) = next
	}
	z.link(&z.hdr.slab.partial[shift-minShift], number)
}

// takeChunk allocates from a page that has a free chunk.
func (z *Zone) takeChunk(number uint32) Ptr {
	d := &z.pages[number-1]
	i := d.free
	d.free = *z.chunk(number, i)
	d.run++
	if d.free == 0 {
		z.unlink(&z.hdr.slab.partial[d.shift-minShift], number)
	}
	return z.pagePtr(number) + Ptr(uint32(i-1)<<d.shift>>ptrShift)
}

func (z *Zone) free(p Ptr) {
	at := uint64(p) << ptrShift
	if at < uint64(z.start) || at>>pageShift >= uint64(z.start>>pageShift)+uint64(len(z.pages)) {
		panic(fmt.Sprintf("shm: free of %#x outside the pages of zone %q", at, z.name))
	}
	number := uint32((at-uint64(z.start))>>pageShift) + 1
	d := &z.pages[number-1]
	within := at & (PageSize - 1)
	switch {
	case d.kind == usedRun && within == 0:
		z.freeRun(number, d.run)
	case d.kind == chunked && within&(1<<d.shift-1) == 0 && d.run > 0:
		z.putChunk(number, uint16(within>>d.shift)+1)
	default:
		panic(fmt.Sprintf("shm: free of %#x in zone %q, which is not allocated", at, z.name))
	}
}

func (z *Zone) putChunk(number uint32, i uint16) {
	d := &z.pages[number-1]
	list := &z.hdr.slab.partial[d.shift-minShift]
	if d.run--; d.run == 0 {
		if d.free != 0 {
			z.unlink(list, number)
		}
		z.freeRun(number, 1)
		return
	}
	*z.chunk(number, i) = d.free
	if d.free == 0 {
		z.link(list, number)
	}
	d.free = i
}

// chunk returns the link to the next free chunk that free chunk i of a page
// begins with.
func (z *Zone) chunk(number uint32, i uint16) *uint16 {
	shift := z.pages[number-1].shift
	at := uint64(z.start) + uint64(number-1)<<pageShift + uint64(i-1)<<shift
	return (*uint16)(unsafe.Pointer(&z.mem[at]))
}

// allocRun takes n pages from the first free run that has them, at its
// start, and returns the first page or 0.
func (z *Zone) allocRun(n uint32) uint32 {
	for number := z.hdr.slab.runs; number != 0; number = z.pages[number-1].next {
		have := z.pages[number-1].run
		if have < n {
			continue
		}
		z.unlinkRun(number, have)
		if have > n {
			z.linkRun(number+n, have-n)
		}
		z.pages[number-1] = page{kind: usedRun, run: n}
		return number
	}
	return 0
}

// freeRun makes n pages free, joined with the free runs on both sides. Of any
// run only the ends are written: a zone may have millions of pages.
func (z *Zone) freeRun(number, n uint32) {
	z.pages[number-1] = page{}
	if after := number + n; after <= uint32(len(z.pages)) && z.pages[after-1].kind == freeRun {
		more := z.pages[after-1].run
		z.unlinkRun(after, more)
		n += more
	}
	if number > 1 {
		before := &z.pages[number-2]
		if before.kind == freeEnd || before.kind == freeRun {
			more := before.run
			z.unlinkRun(number-more, more)
			number -= more
			n += more
		}
	}
	z.linkRun(number, n)
}

func (z *Zone) linkRun(number, n uint32) {
	z.pages[number+n-2] = page{kind: freeEnd, run: n}
	z.pages[number-1] = page{kind: freeRun, run: n}
	z.hdr.slab.freePages += n
	z.link(&z.hdr.slab.runs, number)
}

func (z *Zone) unlinkRun(number, n uint32) {
	z.unlink(&z.hdr.slab.runs, number)
	z.hdr.slab.freePages -= n
	z.pages[number+n-2] = page{}
	z.pages[number-1] = page{}
}

func (z *Zone) link(list *uint32, number uint32) {
	d := &z.pages[number-1]
	d.prev, d.next = 0, *list
	if d.next != 0 {
		z.pages[d.next-1].prev = number
	}
	*list = number
}

func (z *Zone) unlink(list *uint32, number uint32) {
	d := &z.pages[number-1]
	if d.prev != 0 {
		z.pages[d.prev-1].next = d.next
	} else {
		*list = d.next
	}
	if d.next != 0 {
		z.pages[d.next-1].prev = d.prev
	}
	d.next, d.prev = 0, 0
}

func (z *Zone) pagePtr(number uint32) Ptr {
	return Ptr((uint64(z.start) + uint64(number-1)<<pageShift) >> ptrShift)
}

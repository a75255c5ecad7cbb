package vm

import lua "github.com/yuin/gopher-lua"

// Sizes of a Lua thread. A limit of callDepth calls lets Lua functions recurse as deep as LuaJIT's default stack does for
// small functions; the Go stack of that many nested pcalls stays far below Go's limit of 1 GB. A thread begins with
// registerCount registers and room for firstFrames calls, both of which double when they are used up.
const (
	callDepth      = 16000
	coroutineDepth = 4000
	firstFrames    = 32
	registerCount  = 64
	registerMax    = 1 << 16 // LUAI_MAXSTACK is 65500

	// What a thread keeps in the pool: the rest of what its stacks grew to is given up.
	idleFrames    = 64
	idleRegisters = 1024
)

// framesPerSegment is lua.FramesPerSegment.
const framesPerSegment = lua.FramesPerSegment

type segment = [framesPerSegment]frame

// frameStack is lua.autoGrowingCallFrameStack: the call frames of a state, in segments that never move.
//
// gopher-lua makes the list of segments as long as it may ever become. Here it grows, and for the calls that gopher-lua
// makes itself, which come to execute one by one, it always has room for one segment more than are used.
type frameStack struct {
	segments []*segment
	segIdx   uint16
	segSp    uint8 // frames used in the segment segIdx
}

// makeStacks gives a new thread its registers, with the limits of those of another one, and its call stack.
func (t *Thread) makeStacks(like *registers) {
	t.regs = *like
	t.regs.array = make([]lua.LValue, registerCount)
	t.regs.growBy = registerCount
	t.segments[0] = &t.segment
	t.frames.segments = t.segments[:]
	setStacks(t.L, &t.regs, &t.frames)
}

// clearStacks forgets the values in the stacks of a thread that has no call under way, and memory that few need.
func (t *Thread) clearStacks() {
	if len(t.regs.array) > idleRegisters {
		t.regs.array, t.regs.growBy = make([]lua.LValue, registerCount), registerCount
	} else {
		clear(t.regs.array[:min(t.high, len(t.regs.array))])
	}
	t.regs.top, t.high = 0, 0
	if len(t.frames.segments) > idleFrames/framesPerSegment {
		clear(t.segments[1:])
		t.frames.segments = t.segments[:]
	}
	for _, s := range t.frames.segments {
		if s == nil {
			break
		}
		clear(s[:])
	}
}

// setTop moves the top of the registers; those that it gains are nil.
func (t *Thread) setTop(top int) {
	rg := &t.regs
	if top > len(rg.array) {
		t.growRegisters(top)
	}
	for i := rg.top; i < top; i++ {
		rg.array[i] = lua.LNil
	}
	if top < rg.top {
		clear(rg.array[top:rg.top])
	}
	rg.top = top
}

// growRegisters makes room for n registers.
func (t *Thread) growRegisters(n int) {
	if n > registerMax {
		panic(overflow)
	}
	rg := &t.regs
	array := make([]lua.LValue, min(max(n, 2*len(rg.array)), registerMax))
	copy(array, rg.array)
	rg.array, rg.growBy = array, len(array)
}

// push adds the frame of a call by parent of the function in register at. Unlike gopher-lua it keeps the segments it has
// once filled.
func (t *Thread) push(parent *frame, fn *lua.LFunction, at, nargs, nret int) *frame {
	s := &t.frames
	if s.segSp >= framesPerSegment {
		t.nextSegment()
	}
	f := &s.segments[s.segIdx][s.segSp&(framesPerSegment-1)]
	f.Idx = int(s.segIdx)*framesPerSegment + int(s.segSp)
	s.segSp++
	f.Fn, f.Parent = fn, parent
	f.Pc, f.TailCall = 0, 0
	f.Base, f.LocalBase, f.ReturnBase = at, at+1, at
	f.NArgs, f.NRet = nargs, nret
	return f
}

func (t *Thread) nextSegment() {
	s := &t.frames
	if int(s.segIdx)+1 >= len(s.segments) {
		panic(overflow)
	}
	s.segIdx++
	s.segSp = 0
	if s.segments[s.segIdx] == nil {
		s.segments[s.segIdx] = new(segment)
	}
	t.keepRoom()
}

// keepRoom makes the list of segments longer when all are in use, up to the limit of the thread.
func (t *Thread) keepRoom() {
	s := &t.frames
	n := len(s.segments)
	if most := t.depth / framesPerSegment; int(s.segIdx)+1 >= n && n < most {
		longer := make([]*segment, min(2*n, most))
		copy(longer, s.segments)
		s.segments = longer
	}
}

// pop drops the last frame.
func (s *frameStack) pop() {
	if s.segSp == 0 {
		s.segIdx--
		s.segSp = framesPerSegment
	}
	s.segSp--
}

// last is the frame on top of a stack that is not empty.
func (s *frameStack) last() *frame {
	if s.segSp == 0 {
		return &s.segments[s.segIdx-1][framesPerSegment-1]
	}
	return &s.segments[s.segIdx][s.segSp-1]
}

// size is how many frames there are.
func (s *frameStack) size() int { return int(s.segIdx)*framesPerSegment + int(s.segSp) }

// truncate drops all frames but the first n.
func (s *frameStack) truncate(n int) {
	s.segIdx, s.segSp = uint16(n/framesPerSegment), uint8(n%framesPerSegment)
	if s.segSp == 0 && s.segIdx > 0 { // the next segment may not be there
		s.segIdx--
		s.segSp = framesPerSegment
	}
}

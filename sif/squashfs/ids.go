package squashfs

import "fmt"

// idTable gives each uid and gid a 16-bit index. Users and groups share it.
type idTable struct {
	ids []uint32
	at  map[uint32]uint16
}

func (t *idTable) index(id uint32) (uint16, error) {
	if i, ok := t.at[id]; ok {
		return i, nil
	}
	if len(t.ids) == maxIDs {
		return 0, fmt.Errorf("uid or gid %d is one too many: %w (%d different ones)", id, errLimit, maxIDs)
	}
	if t.at == nil {
		t.at = map[uint32]uint16{}
	}
	i := uint16(len(t.ids))
	t.ids, t.at[id] = append(t.ids, id), i
	return i, nil
}

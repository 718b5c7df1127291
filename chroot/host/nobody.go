package host

import specs "github.com/opencontainers/runtime-spec/specs-go"

// The ids from 2^31 on are nobody's: there is software that takes an id for a signed number, so that nothing gives them away.
const nobodyFirst, nobodyCount = 1 << 31, 1<<31 - 2

// Nobody is this host for what real root executes: ids that are nobody's outside, by which no file and no setting of the
// machine belongs to a process. Where they meet files, a mount has to map them (mount_setattr(2)).
func (h *Host) Nobody() *Host {
	ids := func() []specs.LinuxIDMapping { return []specs.LinuxIDMapping{{HostID: nobodyFirst, Size: nobodyCount}} }
	return &Host{Tier: h.Tier, UIDs: ids(), GIDs: ids(), Reason: h.Reason, Setgroups: h.Setgroups}
}

package chroot
import ("testing";"time")
func TestZZCost(t *testing.T){
	eachTier(t, func(t *testing.T, h *Host){
		r := ownerRoot(t,h)
		r.run("write","/f","x")
		b:=time.Now(); r.run("write","/f","x"); base:=time.Since(b)
		b=time.Now(); r.run("write","/f","x",";","many","/f","20000"); t.Logf("chown %v", (time.Since(b)-base)/20000)
		b=time.Now(); r.run("write","/g","x",";","stats","/g","50000"); t.Logf("stat %v", (time.Since(b)-base)/50000)
		b=time.Now(); r.run("write","/g","x",";","stats","/f","50000"); t.Logf("stat recorded %v", (time.Since(b)-base)/50000)
		b=time.Now(); r.run("write","/g","x",";","fstats","/g","50000"); t.Logf("fstat %v", (time.Since(b)-base)/50000)
		t.Logf("node %v", base)
	})
}

//! seccomp: the system calls that the daemon makes once it runs. The kernel answers any other with
//! "no such call" (`ENOSYS`): libraries then do without, as on a kernel that is too old for it.
//!
//! The list is what the tests were seen to need, with what the same libraries take instead on
//! other kernels and processors. No call on it opens a socket, starts a program or another process,
//! looks into one, changes who we are, mounts, or makes memory executable.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Is,
    SeccompCondition as Condition, SeccompFilter, SeccompRule, TargetArch,
};

/// Calls that are made, whatever their arguments are.
const CALLS: &[c_long] = &[
    // connections
    libc::SYS_accept4,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_close,
    libc::SYS_fcntl,
    // waiting
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    // clocks, where the kernel does not give them without a call
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    // memory
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_getrandom,
    // files: the configuration, lists, the log, the Unix socket
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_unlinkat,
    // threads: that which reads a configuration, and its end
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sigaltstack,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_membarrier,
    // signals, an abort of our own included
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_getpid,
    // who we are and what we may
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
];

/// What these processors have beside.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_accept,
    libc::SYS_epoll_wait,
    libc::SYS_poll,
    libc::SYS_time,
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_getrlimit,
];

/// None.
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[libc::SYS_accept];

/// What a call that is not on the list is answered with.
pub(super) const NO_SUCH_CALL: u32 = libc::ENOSYS.cast_unsigned();

/// Lets the calls of the daemon through, and has `action` done about any other, for this thread
/// and those that it starts.
///
/// # Errors
/// Where the kernel, or this crate for this processor, has no such filter.
pub(super) fn restrict(action: SeccompAction) -> Result<(), Error> {
    let plain = CALLS.iter().chain(OLDER).map(|call| (*call, Vec::new()));
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = plain.collect();
    rules.extend(judged().map_err(Error::Backend)?);
    let machine = TargetArch::try_from(MACHINE).map_err(Error::Backend)?;
    let filter = SeccompFilter::new(rules, action, SeccompAction::Allow, machine);
    let program = filter.and_then(BpfProgram::try_from);
    seccompiler::apply_filter(&program.map_err(Error::Backend)?)
}

/// Calls that are made with some arguments alone.
fn judged() -> Result<[(c_long, Vec<SeccompRule>); 7], BackendError> {
    let bits = |argument, mask: libc::c_int, set: libc::c_int| {
        let (mask, set) = (mask.cast_unsigned(), set.cast_unsigned());
        Condition::new(argument, Len::Dword, Is::MaskedEq(mask.into()), set.into())
    };
    let equal = |argument, to: libc::c_int| {
        let to = to.cast_unsigned();
        Condition::new(argument, Len::Dword, Is::Eq, to.into())
    };
    let not_executable = vec![SeccompRule::new(vec![bits(2, libc::PROT_EXEC, 0)?])?];
    // No fork: `clone3`, whose flags can not be looked at, is left out, and libraries fall back.
    let thread = bits(0, libc::CLONE_THREAD, libc::CLONE_THREAD)?;
    let first = |what| Ok::<_, BackendError>(vec![SeccompRule::new(vec![equal(0, what)?])?]);
    // Signals and limits of our own alone.
    let us = rustix::process::getpid().as_raw_nonzero().get();
    let asked = |what: libc::Ioctl| {
        let what = u64::from(u32::try_from(what).unwrap_or_default());
        let condition = Condition::new(1, Len::Dword, Is::Eq, what)?;
        SeccompRule::new(vec![condition])
    };
    Ok([
        (libc::SYS_mmap, not_executable.clone()),
        (libc::SYS_mprotect, not_executable),
        (libc::SYS_clone, vec![SeccompRule::new(vec![thread])?]),
        (
            libc::SYS_prctl,
            [first(libc::PR_SET_NAME)?, first(libc::PR_SET_VMA)?].concat(),
        ),
        (libc::SYS_tgkill, first(us)?),
        (libc::SYS_prlimit64, first(0)?),
        (
            libc::SYS_ioctl,
            vec![asked(libc::TCGETS)?, asked(libc::FIONBIO)?],
        ),
    ])
}

/// The processor, by the name that the filter's maker has for it.
const MACHINE: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else if cfg!(target_arch = "aarch64") {
    "aarch64"
} else if cfg!(target_arch = "riscv64") {
    "riscv64"
} else {
    "another"
};

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::process::Command;

    use super::*;

    #[test]
    fn what_the_daemon_does_not_do_is_refused_and_the_rest_works() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let addr = listener.local_addr().expect("an address");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let client = std::thread::spawn(move || TcpStream::connect(addr));
        // A filter is of its thread, and of those that it starts.
        let confined = std::thread::spawn(move || {
            restrict(SeccompAction::Errno(NO_SUCH_CALL)).expect("a kernel with seccomp");
            let refused = |error: std::io::Error| error.raw_os_error() == Some(libc::ENOSYS);
            assert!(Command::new("true").spawn().is_err_and(refused));
            assert!(UdpSocket::bind("127.0.0.1:0").is_err_and(refused));
            assert!(TcpStream::connect(addr).is_err_and(refused));
            assert!(std::fs::create_dir("/tmp/never").is_err_and(refused));
            let (stream, _) = listener.accept().expect("a connection");
            stream.set_nodelay(true).expect("an option");
            drop(stream);
            std::fs::read(file.path()).expect("the file");
            file.close().expect("removed");
            let inner = std::thread::spawn(|| UdpSocket::bind("127.0.0.1:0").is_err());
            assert!(inner.join().expect("a thread"));
        });
        confined.join().expect("no panic");
        let stream = client.join().expect("no panic").expect("connected");
        drop(stream);
        // Others are as they were.
        assert!(UdpSocket::bind("127.0.0.1:0").is_ok());
        let gone = std::fs::metadata("/tmp/never").map_err(|error| error.kind());
        assert_eq!(gone.err(), Some(ErrorKind::NotFound));
    }
}

//! The C interface of `libchdb.so`, and the only unsafe code of the project: everything here is a thin, checked wrapper
//! whose callers cannot break memory safety.
//!
//! Promise kept: a result is copied out and freed before the wrapper returns, and a connection is closed exactly once.

use super::{Classification, EngineError, QueryClass, QueryOutcome};
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

type Connection = *mut c_void;
type ConnectionHandle = *mut Connection;
type ResultHandle = *mut c_void;
type ConnectFunction = unsafe extern "C" fn(c_int, *mut *mut c_char) -> ConnectionHandle;
type QueryFunction = unsafe extern "C" fn(
    Connection,
    *const u8,
    usize,
    *const u8,
    usize,
    *const *const u8,
    *const usize,
    *const *const u8,
    *const usize,
    usize,
) -> ResultHandle;
type ClassifyFunction =
    unsafe extern "C" fn(Connection, *const u8, usize, *const u8, usize, *mut Analysis) -> c_int;

/// `chdb_query_analysis_v1`: four 32-bit fields, the first one naming the structure's size.
#[repr(C)]
struct Analysis {
    struct_size: u32,
    statement_count: u32,
    flags: u32,
    query_class: u32,
}

/// The functions this crate calls, resolved once.
pub(super) struct Api {
    connect: ConnectFunction,
    close: unsafe extern "C" fn(ConnectionHandle),
    query: QueryFunction,
    classify: ClassifyFunction,
    buffer: unsafe extern "C" fn(ResultHandle) -> *const u8,
    length: unsafe extern "C" fn(ResultHandle) -> usize,
    error: unsafe extern "C" fn(ResultHandle) -> *const c_char,
    result_rows: unsafe extern "C" fn(ResultHandle) -> u64,
    result_bytes: unsafe extern "C" fn(ResultHandle) -> u64,
    read_rows: unsafe extern "C" fn(ResultHandle) -> u64,
    read_bytes: unsafe extern "C" fn(ResultHandle) -> u64,
    written_rows: unsafe extern "C" fn(ResultHandle) -> u64,
    written_bytes: unsafe extern "C" fn(ResultHandle) -> u64,
    destroy: unsafe extern "C" fn(ResultHandle),
}

macro_rules! symbol {
    ($library:expr, $name:literal) => {
        // SAFETY: the type is the one `chdb.h` declares for this name in the pinned release, and the library stays
        // loaded for the life of the process.
        *unsafe { $library.get(concat!($name, "\0").as_bytes()) }
            .map_err(|source| EngineError::Symbol { name: $name, source })?
    };
}

impl Api {
    /// Loads the library for the rest of the process: its threads never end, so it can never be unloaded.
    pub(super) fn load(path: &Path) -> Result<Self, EngineError> {
        // SAFETY: the initialisers of the pinned engine are meant to run in a host process like this one.
        let library = unsafe { Library::new(path) }
            .map_err(|source| EngineError::Load { path: path.to_owned(), source })?;
        let library: &'static Library = Box::leak(Box::new(library));
        let set_signal_handlers: unsafe extern "C" fn(c_int) =
            symbol!(library, "chdb_set_signal_handlers_enabled");
        // SAFETY: a plain flag, set before the first connection as the header asks.
        unsafe { set_signal_handlers(0) };
        Ok(Self {
            connect: symbol!(library, "chdb_connect"),
            close: symbol!(library, "chdb_close_conn"),
            query: symbol!(library, "chdb_query_with_params_n"),
            classify: symbol!(library, "chdb_classify_query_n"),
            buffer: symbol!(library, "chdb_result_buffer"),
            length: symbol!(library, "chdb_result_length"),
            error: symbol!(library, "chdb_result_error"),
            result_rows: symbol!(library, "chdb_result_rows_read"),
            result_bytes: symbol!(library, "chdb_result_bytes_read"),
            read_rows: symbol!(library, "chdb_result_storage_rows_read"),
            read_bytes: symbol!(library, "chdb_result_storage_bytes_read"),
            written_rows: symbol!(library, "chdb_result_rows_written"),
            written_bytes: symbol!(library, "chdb_result_bytes_written"),
            destroy: symbol!(library, "chdb_destroy_query_result"),
        })
    }

    pub(super) fn connect(&self, arguments: &[CString]) -> Option<RawConnection> {
        let mut pointers: Vec<*mut c_char> =
            arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        // SAFETY: the array holds `count` valid C strings that outlive the call; the engine copies them.
        let handle = unsafe { (self.connect)(count, pointers.as_mut_ptr()) };
        // SAFETY: a non-null handle points at the connection pointer that the engine just made.
        if handle.is_null() || unsafe { (*handle).is_null() } { None } else { Some(RawConnection { handle }) }
    }

    pub(super) fn close(&self, connection: &RawConnection) {
        // SAFETY: called once, from the owner's drop, when no call is under way (calls borrow the owner mutably).
        unsafe { (self.close)(connection.handle) }
    }

    pub(super) fn query(
        &self,
        connection: &mut RawConnection,
        text: &[u8],
        format: &str,
        parameters: &[(String, Vec<u8>)],
    ) -> QueryOutcome {
        let names: Vec<*const u8> = parameters.iter().map(|(name, _)| name.as_ptr()).collect();
        let name_lengths: Vec<usize> = parameters.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<*const u8> = parameters.iter().map(|(_, value)| value.as_ptr()).collect();
        let value_lengths: Vec<usize> = parameters.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: every pointer comes with its length and outlives the call; the mutable borrow makes this the only
        // call on the connection.
        unsafe {
            let result = (self.query)(
                *connection.handle,
                text.as_ptr(),
                text.len(),
                format.as_ptr(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                parameters.len(),
            );
            self.copy_out(result)
        }
    }

    /// Copies a result and frees it.
    ///
    /// # Safety
    /// `result` must be null or a result of this library that nobody else frees.
    unsafe fn copy_out(&self, result: ResultHandle) -> QueryOutcome {
        if result.is_null() {
            return QueryOutcome {
                error: Some("the engine gave no result".to_owned()),
                ..Default::default()
            };
        }
        // SAFETY: the accessors take any live result; buffer and length describe the same block.
        unsafe {
            let error = (self.error)(result);
            let (data, length) = ((self.buffer)(result), (self.length)(result));
            let outcome = QueryOutcome {
                error: (!error.is_null()).then(|| CStr::from_ptr(error).to_string_lossy().into_owned()),
                output: if data.is_null() || length == 0 {
                    Vec::new()
                } else {
                    std::slice::from_raw_parts(data, length).to_vec()
                },
                result_rows: (self.result_rows)(result),
                result_bytes: (self.result_bytes)(result),
                read_rows: (self.read_rows)(result),
                read_bytes: (self.read_bytes)(result),
                written_rows: (self.written_rows)(result),
                written_bytes: (self.written_bytes)(result),
            };
            (self.destroy)(result);
            outcome
        }
    }

    pub(super) fn classify(&self, connection: &mut RawConnection, text: &[u8]) -> Classification {
        let mut analysis = Analysis {
            struct_size: u32::try_from(size_of::<Analysis>()).unwrap_or(16),
            statement_count: 0,
            flags: 0,
            query_class: 4,
        };
        // SAFETY: the text comes with its length, no target database is named, and the structure says its size.
        let state = unsafe {
            (self.classify)(*connection.handle, text.as_ptr(), text.len(), ptr::null(), 0, &raw mut analysis)
        };
        let class = match (state, analysis.query_class) {
            (0, 0) => QueryClass::ReadOnly,
            (0, 1) => QueryClass::Mutating,
            (0, 2) => QueryClass::MutatingGlobal,
            (0, 3) => QueryClass::Control,
            _ => QueryClass::Unknown,
        };
        Classification { class, statements: analysis.statement_count }
    }
}

/// A connection of the engine, used by one thread at a time.
pub(super) struct RawConnection {
    handle: ConnectionHandle,
}

// SAFETY: the engine locks each connection and binds its thread state per call, so a connection may move between
// threads; `&mut` on every call keeps two threads from sharing one.
unsafe impl Send for RawConnection {}

/// Lets a thread run only where no other wants to; false when the system refuses.
pub(super) fn run_when_idle(thread: nix::libc::pid_t) -> bool {
    let none = nix::libc::sched_param { sched_priority: 0 };
    // SAFETY: the structure outlives the call, which only reads it.
    unsafe { nix::libc::sched_setscheduler(thread, nix::libc::SCHED_IDLE, &raw const none) == 0 }
}

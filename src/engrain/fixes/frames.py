"""A stack trace as a value, and which of its frames are the application's own.

Whether a frame is the application's is what decides between "the same defect" and "the same framework": the runtime,
test frameworks, reflection, proxies and installed packages stand in every trace. What they are called is data
(:data:`RUNTIMES`, :data:`LIBRARIES`, :data:`FOREIGN_PATHS`), as in Sentry's stack-trace rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

RUNTIMES = (
    # JVM: runtime, languages, tests, builds
    *(
        "java.",
        "javax.",
        "jakarta.",
        "jdk.",
        "sun.",
        "com.sun.",
        "kotlin.",
        "kotlinx.",
        "scala.",
        "groovy.",
        "clojure.",
    ),
    *(
        "org.codehaus.groovy.",
        "junit.",
        "org.junit.",
        "org.testng.",
        "org.hamcrest.",
        "org.assertj.",
        "org.apache.tools.",
    ),
    *("org.apache.maven.", "org.gradle.", "worker.org.gradle.", "com.intellij.rt.", "android.", "androidx.", "dalvik."),
    *("com.android.internal.", "net.bytebuddy.", "net.sf.cglib."),
    # .NET
    *("System.", "Microsoft.", "Xunit.", "NUnit.", "Castle.", "MS.Internal."),
    # Go, Rust
    *("runtime.", "runtime/", "testing.", "reflect.", "net/http.", "panic", "std.", "core.", "alloc.", "test."),
    *("<core.", "<alloc.", "<std.", "rust_begin_unwind", "__rust", "_start", "__libc_start"),
    # Python, by module
    *("_pytest.", "pluggy.", "unittest.", "importlib.", "asyncio.", "concurrent.futures."),
)
LIBRARIES = (
    *("org.mockito.", "org.powermock.", "org.easymock.", "io.mockk.", "Moq.", "Newtonsoft.", "com.zaxxer.hikari."),
    *("org.springframework.", "org.hibernate.", "io.netty.", "reactor.core.", "rx.internal.", "org.eclipse.jetty."),
    *("org.apache.catalina.", "org.apache.tomcat.", "org.apache.coyote."),
)
FOREIGN_PATHS = (
    *("site-packages/", "dist-packages/", "lib/python", "<frozen ", "_pytest/", "node_modules/", "node:"),
    *("internal/modules/", "internal/process/", "internal/timers", "webpack/bootstrap", "go/src/", "pkg/mod/"),
    *("/rustc/", "cargo/registry/", "/gems/", "<internal:", "lib/ruby/", "/vendor/", "[internal function]"),
)
TEST_PARTS = frozenset({"test", "tests", "testing", "junit", "spec", "specs", "__tests__"})

_TEST_CLASS = re.compile(r"^Test(?![a-z])|(?:Tests?|TestCase|Spec|IT)(?![a-z])")
_TEST_FILE = re.compile(r"(?:^|[/\\])(?:test_[^/\\]*|[^/\\]*_test|[^/\\]*[._](?:test|spec))\.\w{1,5}$|conftest\.py$")
_NORMAL = tuple(
    (re.compile(pattern), with_)
    for pattern, with_ in (
        (r"::h[0-9a-f]{16}$", ""),  # Rust: the hash of a symbol
        (r"lambda\$(\w+)\$\d+", r"\1"),  # Java: a lambda stands for the method it was written in
        (r"\$\$Lambda.*", ""),
        (r"\$\$(?:EnhancerBy|FastClassBy|SpringCGLIB)[\w$]*", ""),
        (r"\.<>c(?:__DisplayClass\d+_\d+)?$", ""),
        (r"<([\w.]+)>[bdcg]__[\w|]+", r"\1"),  # .NET: lambdas, local functions, state machines
        (r"\.MoveNext$", ""),
        (r"\.func\d+(?:\.\d+)*$", ""),  # Go: closures
        (r"\{\{closure\}\}(?:#\d+)?|\{closure#?\d*\}", "<closure>"),
        (r"\$\d+", ""),  # anonymous classes, access$000
        (r"(Accessor|\$Proxy|Proxy)\d+", r"\1"),
        (r"`\d+|\[\[.*", ""),  # .NET: arity of generics
        (r"\b0x[0-9a-fA-F]+", ""),
        (r"(?:block|rescue|ensure) (?:\(\d+ levels\) )?in ", ""),  # Ruby
    )
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One call. ``module`` is what the language gives: a class, a package, a file without its ending; ``line`` 0 is
    unknown."""

    function: str
    module: str = ""
    file: str = ""
    line: int = 0
    in_app: bool = True

    @property
    def name(self) -> str:
        """Module and function, without what changes from build to build."""
        return ".".join(part for part in (self.place, plain(self.function)) if part)

    @property
    def place(self) -> str:
        """The module, or else the last two parts of the file's path without its ending."""
        if self.module:
            return plain(self.module)
        return ".".join(_parts(self.file)[-2:])


@dataclass(frozen=True, slots=True)
class Trace:
    """An exception and the calls that led to it, the innermost first. ``test`` names the failing test where there is
    one; ``causes`` are what it was raised from, the nearest first; ``others``: what was suppressed or grouped."""

    exception: str
    message: str = ""
    frames: tuple[Frame, ...] = ()
    test: str = ""
    causes: tuple[Trace, ...] = ()
    project: str = ""
    others: tuple[Trace, ...] = ()

    @property
    def root(self) -> Trace:
        """Where it began: the last cause, or itself."""
        return self.causes[-1] if self.causes else self


@lru_cache(maxsize=16384)
def plain(name: str) -> str:
    """A name without numbers of lambdas, anonymous classes, proxies and generated accessors."""
    name = name[:300]
    for pattern, with_ in _NORMAL:
        name = pattern.sub(with_, name)
    return name


@lru_cache(maxsize=16384)
def _parts(file: str) -> tuple[str, ...]:
    path = file.replace("\\", "/").split("?")[0]
    stem, dot, ending = path.rpartition(".")
    return tuple(
        part for part in (stem if dot and "/" not in ending else path).split("/") if part not in {"", ".", ".."}
    )


@lru_cache(maxsize=16384)
def foreign(frame: Frame) -> bool:
    """Whether a frame is of a runtime, a framework or an installed package."""
    if f"{frame.module}.{frame.function}".lstrip(".").startswith(RUNTIMES + LIBRARIES):
        return True
    file = frame.file.replace("\\", "/")
    return any(part in file for part in FOREIGN_PATHS)


@lru_cache(maxsize=16384)
def is_test(frame: Frame) -> bool:
    """Whether a frame is of a test rather than of what is tested."""
    parts = frame.module.replace("::", ".").replace("/", ".").split(".")
    return (
        bool(_TEST_CLASS.search(parts[-1].split("$")[0]))
        or any(part in TEST_PARTS for part in parts[:-1])
        or parts[-1] in TEST_PARTS
        or bool(_TEST_FILE.search(frame.file))
        or any(part in TEST_PARTS for part in _parts(frame.file)[:-1])
    )


def marked(frames: Iterable[Frame], told: Iterable[bool]) -> tuple[Frame, ...]:
    """Frames with what is told of each in ``in_app``."""
    return tuple(
        frame if frame.in_app == is_own else Frame(frame.function, frame.module, frame.file, frame.line, is_own)
        for frame, is_own in zip(frames, told, strict=True)
    )


def settled(trace: Trace, prefixes: tuple[str, ...] = ()) -> Trace:
    """The trace with ``in_app`` told for each frame: by ``prefixes`` of modules or paths where they are given, else by
    what is foreign. Libraries are the application of a trace in which nothing else is, and of their own tests."""
    family = tuple(library for library in LIBRARIES if trace.test.startswith(library))

    def own(frame: Frame) -> bool:
        if prefixes:
            return frame.module.startswith(prefixes) or any(prefix in frame.file for prefix in prefixes)
        return (bool(family) and frame.module.startswith(family)) or not foreign(frame)

    def settle(one: Trace) -> Trace:
        told = [own(frame) for frame in one.frames]
        if not prefixes and not any(told):
            told = [frame.module.startswith(LIBRARIES) for frame in one.frames]
        frames = marked(one.frames, told)
        others = tuple(map(settle, one.others))
        return replace(one, frames=frames, causes=tuple(map(settle, one.causes)), others=others)

    return settle(trace)

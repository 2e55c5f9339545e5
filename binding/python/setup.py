# SPDX-License-Identifier: MIT
"""Builds the extensions, with the C library inside: from its sources, or from SHMSTREAM_LIBRARY, a libshmstream.a.

Jars are an extension of their own, which is left out where libpsl or libidn2 is not there. With SHMSTREAM_LIBRARY it
wants SHMSTREAM_JAR_LIBRARY, a libshmstream-jar.a or .so; where that is empty there are no jars.

One wheel (abi3) serves CPython 3.11 and newer; for 3.9 and 3.10, which lack buffers in the limited API, and for
free-threaded builds, it is compiled for each version.
"""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.sdist import sdist

here = pathlib.Path(__file__).resolve().parent
os.chdir(here)
# The C library: beside this file in a source package, else two folders up.
library = "shmstream-c" if os.path.isdir("shmstream-c") else os.path.relpath(here.parent.parent, here)
limited = sys.version_info >= (3, 11) and not sysconfig.get_config_var("Py_GIL_DISABLED")

header = pathlib.Path(library, "include/shmstream.h").read_text()
version = re.search(r'SHMS_VERSION_STRING "(.*)"', header)[1]

rooms = ["core", "stream", "channel", "dict", "port/linux"]
macros = [("_GNU_SOURCE", None), ("_FILE_OFFSET_BITS", "64"), ("SHMS_STATIC", None)]
built = os.environ.get("SHMSTREAM_LIBRARY")
built_jar = os.environ.get("SHMSTREAM_JAR_LIBRARY")
if not built:
    macros.append(("SHMS_BUILDING", None))
if limited:
    macros.append(("Py_LIMITED_API", "0x030B0000"))


def flags_of(what, *modules):
    """What pkg-config says, or None where it does not know them."""
    try:
        told = subprocess.run(["pkg-config", what, *modules], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        return None
    return told.stdout.decode().split() if told.returncode == 0 else None


def extension(name, ours, its_rooms, archives, cflags=(), libs=()):
    sources = sorted(file for pattern in ours for file in glob.glob(pattern))
    if not built:
        archives = []
        for room in its_rooms:
            sources += sorted(glob.glob(f"{library}/src/{room}/*.c"))
    return Extension(
        "shmstream." + name,
        sources,
        define_macros=macros,
        include_dirs=[f"{library}/include"] + [f"{library}/src/{room}" for room in rooms],
        extra_objects=archives,
        extra_compile_args=["-std=gnu11", "-fvisibility=hidden", "-fno-plt", *cflags],
        # nodelete: fork handlers of the library must not outlive its code.
        extra_link_args=["-Wl,-z,nodelete", "-Wl,-Bsymbolic-functions", "-Wl,--exclude-libs,ALL", *libs],
        py_limited_api=limited,
    )


def extensions():
    yield extension("_shmstream", ["src/*.c"], rooms, [built])
    libs = flags_of("--libs", "libpsl", "libidn2")
    if libs is None or (built and not built_jar):
        print("shmstream: built without jars (no libpsl, libidn2 or SHMSTREAM_JAR_LIBRARY)", file=sys.stderr)
        return
    if built_jar and not built_jar.endswith(".a"):
        libs = []  # a shared library brings them itself
    yield extension("_jar", ["src/face.c", "src/jar/*.c"], rooms + ["jar"], [built_jar, built],
                    flags_of("--cflags", "libpsl", "libidn2"), libs)


class SourcePackage(sdist):
    """A source package has the C library in it."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        for folder in ["include"] + ["src/" + room for room in rooms + ["jar"]]:
            for file in glob.glob(f"{library}/{folder}/**/*.[ch]", recursive=True):
                target = pathlib.Path(base_dir, "shmstream-c", os.path.relpath(file, library))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        shutil.copyfile(f"{library}/LICENSE", pathlib.Path(base_dir, "shmstream-c", "LICENSE"))
        for file in ["src/face.h"] + glob.glob("src/jar/*.c"):
            target = pathlib.Path(base_dir, file)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


setup(
    name="shmstream",
    version=version,
    description="Memory that several processes share, as simple as a file",
    long_description=pathlib.Path("README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.9",
    package_dir={"": "src"},
    packages=["shmstream"],
    package_data={"shmstream": ["*.pyi", "py.typed"]},
    cmdclass={"sdist": SourcePackage},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
    ext_modules=list(extensions()),
)

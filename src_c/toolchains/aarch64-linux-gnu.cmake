# Cross build for 64-bit ARM Linux, run under qemu-user (Debian: gcc-aarch64-linux-gnu, qemu-user):
#     cmake -S src_c -B build-arm64 -DCMAKE_TOOLCHAIN_FILE=toolchains/aarch64-linux-gnu.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
# C++ is for one example alone; empty where it is not installed, so that the host's own is not taken.
find_program(arm64_cxx aarch64-linux-gnu-g++)
set(CMAKE_CXX_COMPILER "")
if(arm64_cxx)
  set(CMAKE_CXX_COMPILER "${arm64_cxx}")
endif()
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

//! Loaded into a program of i386 before the C library: see the crate `archmill-obstack`.
//!
//! All of a shared library is here, byte by byte (elf(5)): what it takes is a function that calls no other, and with it
//! Rust needs neither a linker nor its own library for i386.
#![no_std]

core::arch::global_asm!(
    ".att_syntax",
    ".section library, \"a\"",
    ".code32",
    "image:",
    // The header: 32 bits, little-endian, version 1, of System V; a shared library for i386.
    ".byte 0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0",
    ".short 3, 3",
    ".long 1, 0, segments - image, 0, 0",
    ".short 52, 32, 4, 0, 0, 0",
    //
    // Type, offset, address, physical address, size in the file and in memory, flags, alignment.
    "segments:",
    ".long 1, 0, 0, 0, text_end - image, text_end - image, 5, 0x1000",
    // The dynamic linker writes to what tells it of the library, so that is on a page of its own.
    ".long 1, dynamic - image, dynamic - image + 0x1000, dynamic - image + 0x1000",
    ".long image_end - dynamic, image_end - dynamic, 6, 0x1000",
    ".long 2, dynamic - image, dynamic - image + 0x1000, dynamic - image + 0x1000",
    ".long image_end - dynamic, image_end - dynamic, 6, 4",
    // No stack that can be executed is asked for.
    ".long 0x6474e551, 0, 0, 0, 0, 0, 6, 16",
    //
    "symbols:",
    ".long 0, 0, 0, 0",
    ".long name - strings, begin - image, begin_end - begin",
    // A function that all see, in some section.
    ".byte 0x12, 0",
    ".short 1",
    // One bucket, the two symbols: the second is first in it, and none follows.
    "hash:",
    ".long 1, 2, 1, 0, 0",
    "strings:",
    ".byte 0",
    "soname: .asciz \"libobstack.so\"",
    "name: .asciz \"_obstack_begin\"",
    //
    // int _obstack_begin(struct obstack *, size, alignment, void *(*)(size), void (*)(void *)) of <obstack.h>.
    ".balign 16",
    "begin:",
    "pushl %ebx",
    "pushl %esi",
    "subl $4, %esp",
    "movl 16(%esp), %ebx",
    "movl 20(%esp), %eax",
    "movl 24(%esp), %esi",
    // Zero is what the C library thinks best.
    "testl %eax, %eax",
    "jnz 1f",
    "movl $4072, %eax",
    "1:",
    "testl %esi, %esi",
    "jnz 2f",
    "movl $8, %esi",
    "2:",
    // The mask for alignment.
    "decl %esi",
    "movl %eax, (%ebx)",
    "movl %esi, 24(%ebx)",
    "movl 28(%esp), %ecx",
    "movl %ecx, 28(%ebx)",
    "movl 32(%esp), %edx",
    "movl %edx, 32(%ebx)",
    // Functions that take another argument, and what has gone wrong: none.
    "andl $-8, 40(%ebx)",
    "subl $12, %esp",
    "pushl %eax",
    "call *%ecx",
    "addl $16, %esp",
    "movl %eax, 4(%ebx)",
    // What the programs give does not come back without memory.
    "testl %eax, %eax",
    "jz 3f",
    // Behind the end and the chunk before, aligned.
    "leal 8(%eax,%esi), %ecx",
    "notl %esi",
    "andl %esi, %ecx",
    "movl %ecx, 8(%ebx)",
    "movl %ecx, 12(%ebx)",
    "movl (%ebx), %edx",
    "addl %eax, %edx",
    "movl %edx, 16(%ebx)",
    "movl %edx, (%eax)",
    "movl $0, 4(%eax)",
    "movl $1, %eax",
    "3:",
    "addl $4, %esp",
    "popl %esi",
    "popl %ebx",
    "ret",
    "begin_end:",
    ".balign 8",
    "text_end:",
    //
    "dynamic:",
    ".long 14, soname - strings",
    ".long 4, hash - image",
    ".long 5, strings - image",
    ".long 10, begin - strings",
    ".long 6, symbols - image",
    ".long 11, 16",
    ".long 0, 0",
    "image_end:",
    ".code64",
    ".text",
    options(att_syntax),
);

#ifndef C_CHECKSUM_H
#define C_CHECKSUM_H
#endif

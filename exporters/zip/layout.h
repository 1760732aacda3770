/* zip/layout.h: the records of a zip archive (PKWARE APPNOTE 6.3.10).
 *
 *	local header, 30 bytes	name, extra field, then the member's data
 *	directory header, 46	name, extra field, comment; one a member
 *	zip64 end, 56; locator, 20	only in large archives
 *	end of directory, 22	comment
 *
 * Integers are little-endian. The offsets below are those of the fields.
 */
#ifndef WH_ZIP_LAYOUT_H
#define WH_ZIP_LAYOUT_H

#define ZIP_LOCAL_MAGIC	    0x04034b50u /* APPNOTE 4.3.7 */
#define ZIP_LOCAL_SIZE	    30u
#define ZIP_DIRECTORY_MAGIC 0x02014b50u /* 4.3.12 */
#define ZIP_DIRECTORY_SIZE  46u
#define ZIP_END64_MAGIC	    0x06064b50u /* 4.3.14 */
#define ZIP_END64_SIZE	    56u
#define ZIP_LOCATOR_MAGIC   0x07064b50u /* 4.3.15 */
#define ZIP_LOCATOR_SIZE    20u
#define ZIP_END_MAGIC	    0x06054b50u /* 4.3.16 */
#define ZIP_END_SIZE	    22u
#define ZIP_MAX_COMMENT	    65535u

/* The field is in the extra field or record of zip64 instead. */
#define ZIP_IN_ZIP64_16 0xffffu
#define ZIP_IN_ZIP64_32 0xffffffffu
#define ZIP64_EXTRA	1u /* id of the extra field, 4.5.3 */

#define ZIP_ENCRYPTED  0x0001u /* general purpose flags, 4.4.4 */
#define ZIP_DESCRIPTOR 0x0008u /* CRC and sizes follow the data */
#define ZIP_UTF8       0x0800u

#define ZIP_STORED   0u /* methods, 4.4.5 */
#define ZIP_DEFLATED 8u

#endif

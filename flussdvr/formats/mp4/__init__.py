"""ISO base media files (ISO/IEC 14496-12): fragmented as they are recorded, progressive as they are downloaded."""

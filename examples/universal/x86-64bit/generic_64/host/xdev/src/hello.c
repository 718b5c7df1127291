#include <stdio.h>

int main(void)
{
	puts("hello from another machine");
	return 0;
}
